#pragma once
// Loading a compiled shared object from the verified bytes of an artifact. The bytes go through an anonymous file in
// memory, so that what was checked is what is loaded; it stays open and mapped for the process's life, since running code
// must not go away.

#include <string_view>

#include "eflow/jit/spec_table.hpp"

namespace eflow::jit {

/// Throws DeviceError with the loader's words.
[[nodiscard]] HostKernel load_host_kernel(std::string_view image);

}  // namespace eflow::jit

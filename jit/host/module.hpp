#pragma once
// Loads a shared object from an artifact's verified bytes. The bytes go through an anonymous memory
// file, so that exactly the verified bytes are loaded. The object stays mapped for the life of the
// process, because its code may be running.

#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/spec_table.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct HostModuleOptions {
  bool for_debugger = false;  ///< load from a file, so that a debugger finds its lines
  /// All launches run on one thread, one after another: additions need not be atomic.
  bool one_thread = false;
};
/// Loads the kernel. Throws DeviceError with the loader's message.
[[nodiscard]] HostKernel load_host_kernel(std::string_view image,
                                          const HostModuleOptions& options = {});

}  // namespace eflow::jit

EFLOW_EXPORT_END

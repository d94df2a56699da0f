#pragma once
// What a kernel is compiled for.

#include <cstdint>
#include <string>
#include <string_view>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

enum class Backend : std::uint8_t { kHost, kCuda };

/// A compile target: an instruction set of the CPU ("avx2", see name_of(Isa)), a GPU architecture
/// ("sm_90a"), or PTX for GPUs of at least a capability ("compute_80").
struct Target {
  Backend backend = Backend::kHost;
  std::string arch = "";
  friend bool operator==(const Target&, const Target&) = default;
};

/// The architecture of kernels for an emulated GPU, sm_80, which the host compiler compiles
/// (jit/emulation).
inline constexpr std::string_view kEmulatedArch = "emulated_sm_80";

/// "compute_80" is PTX for GPUs of capability 8.0 and above, which their driver compiles.
inline constexpr std::string_view kPtxArchPrefix = "compute_";

}  // namespace eflow::jit

EFLOW_EXPORT_END

#pragma once
// Detects GPUs through the CUDA driver, which is opened at run time. A missing driver or GPU is a
// result, not an error.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cuda/api.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// The properties of one GPU.
struct CudaDevice {
  std::string name = "";
  int major = 0, minor = 0;  ///< compute capability
  std::uint64_t memory = 0;  ///< bytes
  int multiprocessors = 0;
  int shared_per_block = 0;  ///< bytes of shared memory that a block may opt in to
  std::uint64_t l2 = 0;      ///< bytes of L2 cache

  /// NVRTC's name of the architecture: "sm_80", "sm_90a". Has the suffix where an
  /// architecture-specific feature set exists.
  [[nodiscard]] std::string arch() const;
};

/// The driver and its devices.
struct CudaDriver {
  int version = 0;  ///< 12040 for 12.4; 0 without a driver
  std::vector<CudaDevice> devices = {};
  std::string why = "";  ///< why there is no device; empty if there is one
};

/// Opens `library` or, if empty, libcuda.so.1. Never throws.
[[nodiscard]] CudaDriver probe_cuda_driver(const std::string& library = "");
[[nodiscard]] CudaDriver probe_cuda_driver(const CudaApi& cuda);

/// Resolves a device name: "cpu", "cuda:N" (N from 0), "cuda" (cuda:0) or "auto" (cuda:0 if there
/// is a GPU, else cpu). Only "auto" queries the driver: `cuda`, or if that is nullptr the one that
/// open_cuda_api(library) opens. Throws
/// InvalidArgument for any other name.
[[nodiscard]] std::string resolve_device(std::string_view name, const CudaApi* cuda = nullptr,
                                         const std::string& library = "");

}  // namespace eflow::jit

EFLOW_EXPORT_END

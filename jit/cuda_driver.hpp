#pragma once
// The CUDA driver, opened at run time and asked what GPUs there are. No driver, or no GPU, is an answer and not an error.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/jit/cuda_api.hpp"

namespace eflow::jit {

struct CudaDevice {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  std::uint64_t memory = 0;  ///< bytes
  int multiprocessors = 0;
  int shared_per_block = 0;  ///< bytes a block may ask for
  std::uint64_t l2 = 0;      ///< bytes of second-level cache

  /// What NVRTC calls it: "sm_80", "sm_90a". Architectures with an arch-specific feature set get its suffix.
  [[nodiscard]] std::string arch() const;
};

struct CudaDriver {
  int version = 0;  ///< 12040 for 12.4; 0 without a driver
  std::vector<CudaDevice> devices;
  std::string why;  ///< why there is no device, in plain words; empty when there is one
};

/// Opens `library` when it is named, else libcuda.so.1. Never throws.
[[nodiscard]] CudaDriver probe_cuda_driver(const std::string& library = "");
[[nodiscard]] CudaDriver probe_cuda_driver(const CudaApi& cuda);

/// What a device's name stands for: "cpu", "cuda:N" (N from 0), "cuda" (cuda:0), "auto" (cuda:0 where there is a GPU, else
/// cpu). `cuda`: the driver to ask, nullptr for the machine's; it is asked for auto alone. Throws InvalidArgument for any
/// other name.
[[nodiscard]] std::string resolve_device(std::string_view name, const CudaApi* cuda = nullptr);

}  // namespace eflow::jit

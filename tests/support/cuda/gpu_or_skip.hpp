#pragma once
// For tests that need a GPU: BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip) ends the program with 77, which CTest counts as skipped, and
// says why, where there is none.

#include <cstdlib>
#include <iostream>

#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cuda/driver.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/options.hpp"

namespace eflow::test {

struct GpuOrSkip {
  GpuOrSkip() {
    const jit::Options options = jit::Options::from_environment();
    const jit::CudaDriver driver = jit::probe_cuda_driver(options.cuda_library);
    std::string why = driver.why;
    if (why.empty()) {
      const jit::FoundCompiler nvrtc = jit::find_nvrtc(options.nvrtc);
      if (!nvrtc) why = nvrtc.why;
    }
    if (why.empty()) return;
    std::cout << "skipped: " << why << '\n';
    std::exit(77);
  }
};

/// The GPU that EFLOW_DEVICE names, or the first.
inline const DevicePtr& gpu() {
  static const DevicePtr device = [] {
    jit::Options options = jit::Options::from_environment();
    if (options.device == "cpu") options.device = "cuda";
    return make_device(options);
  }();
  return device;
}

}  // namespace eflow::test

#pragma once
// A device on the recording driver.

#include <functional>

#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

namespace eflow::test {

struct RecordedDevice {
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  DevicePtr device;

  /// Without a disk cache and without cuBLASLt. `change`: what is different, in `api` too.
  explicit RecordedDevice(const std::function<void(jit::Options* options)>& change = {}) {
    jit::Options options;
    options.cache.named = "";
    options.cuda = &api;
    options.cublas_library = "off";
    options.device = "cuda";
    if (change) change(&options);
    device = make_device(options);
  }
};

}  // namespace eflow::test

#pragma once
// An emulated CUDA driver. Launches run the GPU forms of the kernel texts on emulated blocks. The
// host can access device memory only through the driver; a stray read or write ends the test. All
// of core, nn and soflow runs on it, with the launch geometry and arguments of a real GPU. It is
// slow: use small tensors.

#include <memory>
#include <string>

#include "eflow/tests/support/default_device.hpp"

namespace eflow::test {

class EmulatedGpu {
 public:
  /// graphs: capture the work of a step into graphs.
  explicit EmulatedGpu(bool graphs = false);
  ~EmulatedGpu();
  EmulatedGpu(const EmulatedGpu&) = delete;
  EmulatedGpu& operator=(const EmulatedGpu&) = delete;

  /// The device; must not outlive this object.
  [[nodiscard]] DevicePtr device() const;
  /// The device's driver, for creating further devices.
  [[nodiscard]] const jit::CudaApi& api() const;
  /// Options of such devices.
  [[nodiscard]] jit::Options options() const;

  /// Number of kernels run so far.
  [[nodiscard]] long long launches() const;
  /// Number of bulk copies by kernels so far.
  [[nodiscard]] long long bulk_copies() const;
  /// Number of graphs run so far.
  [[nodiscard]] long long graphs() const;
  /// Number of calls so far of a driver function that issues work, changes graphs or orders streams.
  [[nodiscard]] int calls(const std::string& name) const;
  /// Makes later calls of such a function fail; 0 ends that.
  void fail(const std::string& name, int code);
  /// Number of times the host waited for the device.
  [[nodiscard]] int waits() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::test

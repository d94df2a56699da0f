#pragma once
// A GPU without a GPU: a CUDA driver whose launches run the kernel texts' GPU forms on emulated blocks, and whose memory the
// host cannot touch but through the driver: a stray read or write ends the test. All of core, nn and soflow can run on it,
// with the geometry and the arguments that a real one would get. Slow: for small tensors.

#include <memory>

#include "support/default_device.hpp"

namespace eflow::test {

class EmulatedGpu {
 public:
  /// graphs: a step's work is gathered into graphs.
  explicit EmulatedGpu(bool graphs = false);
  ~EmulatedGpu();
  EmulatedGpu(const EmulatedGpu&) = delete;
  EmulatedGpu& operator=(const EmulatedGpu&) = delete;

  /// The device; it must not outlive this.
  [[nodiscard]] DevicePtr device() const;
  /// The driver that it talks to, to make others of.
  [[nodiscard]] const jit::CudaApi& api() const;
  /// Options of such devices.
  [[nodiscard]] jit::Options options() const;

  /// Kernels run so far.
  [[nodiscard]] long long launches() const;
  /// Bulk copies that kernels made so far.
  [[nodiscard]] long long bulk_copies() const;
  /// Graphs run so far.
  [[nodiscard]] long long graphs() const;
  /// How often the host waited.
  [[nodiscard]] int waits() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::test

#pragma once
// A CUDA driver that interprets PTX. NVRTC, the real one, compiles each kernel to PTX (no machine
// code), and launches execute that PTX (interpreter.hpp) on device memory that the host can access
// only through the driver. So what runs is the compiler's output, with the launch geometry and
// arguments of a real GPU; it cannot show speed, nor what ptxas does. It is slow: use small tensors.

#include <map>
#include <memory>
#include <string>

#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/ptx/interpreter.hpp"

namespace eflow::test {

class PtxGpu {
 public:
  struct Config {
    int arch = 80;          ///< compute capability: 80 for sm_80
    unsigned seed = 0;      ///< of the order in which warps run; each launch adds 1
    bool profiles = false;  ///< fills profiles()
  };

  /// Needs NVRTC (nvrtc_or_skip.hpp). One at a time.
  explicit PtxGpu(Config config);
  PtxGpu() : PtxGpu(Config()) {}
  ~PtxGpu();
  PtxGpu(const PtxGpu&) = delete;
  PtxGpu& operator=(const PtxGpu&) = delete;

  /// The device; must not outlive this object.
  [[nodiscard]] DevicePtr device() const;
  /// Options of further devices of the driver.
  [[nodiscard]] jit::Options options() const;
  /// Number of kernels run so far.
  [[nodiscard]] long long launches() const;
  /// Of all launches.
  [[nodiscard]] const ptx::Counts& counts() const;
  /// A launch that was profiled.
  struct Profiled {
    int threads = 0;
    ptx::Profile profile = {};
  };
  /// Of the launches so far, in order.
  [[nodiscard]] const std::vector<Profiled>& profiles() const;
  /// How often each kernel ran, by the C++ name of its specialisation.
  [[nodiscard]] const std::map<std::string, long long>& launched() const;
  /// Number of kernels loaded so far.
  [[nodiscard]] long long kernels() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::test

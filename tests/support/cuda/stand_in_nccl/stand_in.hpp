#pragma once
// What tests ask of the stand-in for NCCL (libnccl.cpp), which they open by its path, EFLOW_STAND_IN_NCCL.

#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "eflow/jit/cuda/api.hpp"

namespace eflow::test {

/// Since the process began.
struct NcclCounts {
  int groups = 0, messages = 0, aborts = 0;
  std::size_t bytes = 0;
  int communicators = 0;  ///< that exist
};

/// The opened library; the state is that of the process.
class StandInNccl {
 public:
  /// driver: that of the device whose memory messages come from, or nullptr: host memory.
  explicit StandInNccl(const std::string& path, const jit::CudaApi* driver)
      : library_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(dlerror());
    function<void (*)(const jit::CudaApi*)>("eflowNcclUseDriver")(driver);
  }
  ~StandInNccl() {
    function<void (*)(const jit::CudaApi*)>("eflowNcclUseDriver")(nullptr);
    stick(false);
  }
  StandInNccl(const StandInNccl&) = delete;
  StandInNccl& operator=(const StandInNccl&) = delete;

  /// While true, the device takes messages and never delivers them.
  void stick(bool stuck) { function<void (*)(bool)>("eflowNcclStick")(stuck); }
  [[nodiscard]] NcclCounts counts() const {
    return function<NcclCounts (*)()>("eflowNcclCounts")();
  }
  /// Breaches of NCCL's rules so far, a line each.
  [[nodiscard]] std::string violations() const {
    return function<const char* (*)()>("eflowNcclViolations")();
  }

 private:
  template <class F>
  [[nodiscard]] F function(const char* name) const {
    return reinterpret_cast<F>(dlsym(library_, name));
  }
  void* library_;
};

}  // namespace eflow::test

#pragma once
// CudaContext: a device's primary context, retained, so that memory and streams of other CUDA users of the process are ours
// too; and the one place where the driver's answers are checked.

#include <string>
#include <string_view>

#include "eflow/jit/cuda_driver.hpp"

namespace eflow::jit {

/// Threads: all members may be called at once. After a fork the child must not use the parent's: every call throws.
class CudaContext {
 public:
  /// `cuda` must outlive it. Throws DeviceError when there is no such device or its context cannot be had.
  CudaContext(const CudaApi& cuda, int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  [[nodiscard]] const CudaApi& api() const { return cuda_; }
  [[nodiscard]] const CudaDevice& device() const { return device_; }
  [[nodiscard]] CuDevice handle() const { return handle_; }
  [[nodiscard]] int ordinal() const { return ordinal_; }
  /// "cuda:0 (NVIDIA H100 80GB HBM3)".
  [[nodiscard]] std::string name() const;

  /// Throws DeviceError "[cuda] cuLaunchKernelEx of axpy<f32>(3): CUDA_ERROR_... on cuda:0 (...)" unless code is 0.
  void check(CuResult code, std::string_view call, std::string_view what) const;

  /// While alive, the context is the calling thread's current one; what was current before returns.
  class Current {
   public:
    /// Throws DeviceError.
    explicit Current(const CudaContext& context);
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    const CudaContext& context_;
    bool pushed_ = false;
  };

 private:
  void require_own_process() const;

  const CudaApi& cuda_;
  int ordinal_;
  unsigned forks_;  // seen when it was made
  CuDevice handle_ = 0;
  CuContext context_ = nullptr;
  CudaDevice device_;
};

}  // namespace eflow::jit

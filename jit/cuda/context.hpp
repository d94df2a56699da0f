#pragma once
// CudaContext: a device's primary context, which is shared with the process's other CUDA users, so
// memory and streams are interchangeable with theirs. Also the one place that checks the driver's
// return codes.

#include <string>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cuda/driver.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Threads: all members may be called concurrently. In a forked child every call throws, because
/// CUDA does not survive a fork.
class CudaContext {
 public:
  /// Retains the primary context. `cuda` must outlive the object. Throws DeviceError if the device
  /// or its context is unavailable.
  CudaContext(const CudaApi& cuda, int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  [[nodiscard]] const CudaApi& api() const { return cuda_; }
  [[nodiscard]] const CudaDevice& device() const { return device_; }
  [[nodiscard]] CuDevice handle() const { return handle_; }
  /// The device's primary context.
  [[nodiscard]] CuContext context() const { return context_; }
  [[nodiscard]] int ordinal() const { return ordinal_; }
  /// "cuda:0 (NVIDIA H100 80GB HBM3)".
  [[nodiscard]] std::string name() const;

  /// Throws DeviceError unless `code` is 0: "[cuda] cuLaunchKernelEx of axpy<f32>(3):
  /// CUDA_ERROR_... on cuda:0 (...)".
  void check(CuResult code, std::string_view call, std::string_view what) const;

  /// Whether the driver has shut down, which happens before the destructors of a program's global
  /// objects run. Device memory, streams and modules are gone then; nothing is left to release.
  [[nodiscard]] bool is_shut_down() const;

  /// Makes the context current on the calling thread for the object's lifetime, then restores the
  /// previous one.
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
  unsigned forks_;  // fork_count() at construction
  CuDevice handle_ = 0;
  CuContext context_ = nullptr;
  CudaDevice device_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

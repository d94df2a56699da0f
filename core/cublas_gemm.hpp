#pragma once
// Plain matrix products by cuBLASLt: one plan (descriptors, algorithm) a problem, chosen when the problem is first met.
// Deterministic: of its ways to add up parts of a sum, the one without a fixed order is never asked for.

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "eflow/core/cublas_problem.hpp"
#include "eflow/jit/cublas_api.hpp"
#include "eflow/jit/cuda_context.hpp"

namespace eflow::detail {

/// Threads: run() may be called at once; calls take turns.
class CublasGemm {
 public:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

  /// `workspace` has kWorkspaceBytes bytes on the device and belongs to the one stream that run() is given. Throws
  /// DeviceError when the library cannot start.
  CublasGemm(std::shared_ptr<const jit::CudaContext> context, const jit::CublasApi& api, bool tf32,
             void* workspace);
  ~CublasGemm();
  CublasGemm(const CublasGemm&) = delete;
  CublasGemm& operator=(const CublasGemm&) = delete;

  /// Issues the product, or returns false, with nothing issued, where cuBLASLt has none like it. Throws DeviceError.
  [[nodiscard]] bool run(const args::Gemm& g, DType in, DType out, jit::CuStream stream);

 private:
  struct Plan;
  const Plan& plan_of(const args::Gemm& g, const LtProblem& problem);
  [[nodiscard]] Plan describe(const LtProblem& problem) const;
  void point(const args::Gemm& g, const LtProblem& problem, const Plan& plan) const;
  void choose(const LtProblem& problem, Plan& plan) const;
  void issue(const args::Gemm& g, const LtProblem& problem, const Plan& plan,
             jit::CuStream stream) const;
  void check(int status, const char* call) const;

  std::shared_ptr<const jit::CudaContext> context_;
  jit::CublasApi api_;
  bool tf32_;
  void* workspace_;
  void* handle_ = nullptr;
  std::mutex mutex_;
  std::map<LtProblem, Plan> plans_;
};

}  // namespace eflow::detail

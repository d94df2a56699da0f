#pragma once
// Plain matrix products by cuBLASLt: one plan (descriptors, algorithm) a problem, made when the problem is first met. The
// algorithm is the one that was tuned, else the library's first. Deterministic: of its ways to add up parts of a sum, the one
// without a fixed order is neither asked for nor taken.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/cublas_problem.hpp"
#include "eflow/jit/cublas_api.hpp"
#include "eflow/jit/cuda_context.hpp"

namespace eflow::detail {

/// Threads: run() may be called at once; calls take turns.
class CublasGemm {
 public:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

  /// The algorithm that was tuned for a problem; nullopt where none was.
  using Tuned = std::function<std::optional<jit::LtAlgo>(const LtProblem&)>;

  /// `workspace` has kWorkspaceBytes bytes on the device and belongs to the one stream that run() is given. `tuned` is asked
  /// once a problem, and may be empty. Throws DeviceError when the library cannot start.
  CublasGemm(std::shared_ptr<const jit::CudaContext> context, const jit::CublasApi& api, bool tf32,
             void* workspace, Tuned tuned = {});
  ~CublasGemm();
  CublasGemm(const CublasGemm&) = delete;
  CublasGemm& operator=(const CublasGemm&) = delete;

  /// Issues the product, or returns false, with nothing issued, where cuBLASLt has none like it. Throws DeviceError.
  [[nodiscard]] bool run(const args::Gemm& g, DType in, DType out, jit::CuStream stream);

  /// For the tuner: algorithms for a product that is one call, the one that run() takes untuned first, then at most `most` in
  /// the library's order, each of which serves all addresses that lie as well as these or on 16 bytes. Empty: it has none.
  [[nodiscard]] std::vector<jit::LtAlgo> algorithms(const args::Gemm& g, DType in, DType out,
                                                    int most);
  /// Issues it by one of those.
  void run_by(const jit::LtAlgo& algo, const args::Gemm& g, DType in, DType out,
              jit::CuStream stream);
  /// "algorithm 21, tile 20, stages 8, split-k 2".
  [[nodiscard]] std::string text_of(const jit::LtAlgo& algo) const;
  /// "cuBLASLt 130002"; algorithms are of this version.
  [[nodiscard]] std::string library() const;

 private:
  struct Plan;
  const Plan& plan_of(const args::Gemm& g, const LtProblem& problem);
  [[nodiscard]] Plan describe(const LtProblem& problem) const;
  void point(const args::Gemm& g, const LtProblem& problem, const Plan& plan) const;
  /// What the library offers, best first; `alignments`: bytes, as LtProblem::alignment.
  [[nodiscard]] std::vector<jit::LtHeuristic> offers(const Plan& plan, const int (&alignments)[4],
                                                     int most) const;
  void choose(const LtProblem& problem, Plan& plan) const;
  [[nodiscard]] bool take_tuned(const LtProblem& problem, Plan& plan) const;
  [[nodiscard]] std::string fault_of(const Plan& plan, const jit::LtAlgo& algo) const;
  /// nullopt: it does not say.
  [[nodiscard]] std::optional<int> attribute(const jit::LtAlgo& algo, int which) const;
  void issue(const args::Gemm& g, const LtProblem& problem, const Plan& plan,
             const jit::LtAlgo& algo, jit::CuStream stream) const;
  void check(int status, const char* call) const;

  std::shared_ptr<const jit::CudaContext> context_;
  jit::CublasApi api_;
  bool tf32_;
  void* workspace_;
  Tuned tuned_;
  void* handle_ = nullptr;
  std::mutex mutex_;
  std::map<LtProblem, Plan> plans_;
};

}  // namespace eflow::detail

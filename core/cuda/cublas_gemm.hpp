#pragma once
// Matrix products by cuBLASLt. Each problem has a plan (descriptors and algorithm), created on
// first use. The algorithm is the tuned one, otherwise the first of cuBLASLt's heuristics.
// Deterministic: split-k reductions without a fixed order are excluded. Internal to core.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/cuda/cublas_problem.hpp"
#include "eflow/jit/cuda/context.hpp"
#include "eflow/jit/cuda/cublas_api.hpp"

namespace eflow::detail {

/// Threads: run() may be called concurrently; calls are serialised.
class CublasGemm {
 public:
  /// Device memory that algorithms may use.
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

  /// Returns the algorithm tuned for a problem, or nullopt.
  using Tuned = std::function<std::optional<jit::LtAlgo>(const LtProblem&)>;

  /// `workspace`: kWorkspaceBytes bytes of device memory, owned by the caller and used only on the
  /// one stream passed to run(). `tuned` is called once per problem and may be empty. Throws
  /// DeviceError if the library cannot be initialised.
  CublasGemm(std::shared_ptr<const jit::CudaContext> context, const jit::CublasApi& api, bool tf32,
             void* workspace, Tuned tuned = {});
  ~CublasGemm();
  CublasGemm(const CublasGemm&) = delete;
  CublasGemm& operator=(const CublasGemm&) = delete;

  /// Issues the product. Returns false, with nothing issued, if cuBLASLt does not support it. in:
  /// dtype of A and B; out: of C, bias, aux and residual. Throws DeviceError.
  [[nodiscard]] bool run(const args::Gemm& g, DType in, DType out, jit::CuStream stream);

  /// Whether run() would issue the product. Plans it, so that run() need not.
  [[nodiscard]] bool serves(const args::Gemm& g, DType in, DType out);

  /// For the tuner: returns algorithms for a product that is a single call. The untuned choice of
  /// run() comes first, then at most `most` in cuBLASLt's order. They work for all operands with at
  /// least the alignment of these, capped at 16 bytes. Empty if the product is not supported.
  [[nodiscard]] std::vector<jit::LtAlgo> algorithms(const args::Gemm& g, DType in, DType out,
                                                    int most);
  /// Issues the product with one of these algorithms. Throws InvalidArgument if it is not
  /// supported, DeviceError.
  void run_by(const jit::LtAlgo& algo, const args::Gemm& g, DType in, DType out,
              jit::CuStream stream);
  /// Describes an algorithm: "algorithm 21, tile 20, stages 8, split-k 2".
  [[nodiscard]] std::string text_of(const jit::LtAlgo& algo) const;
  /// Returns the library version, "cuBLASLt 130002". Algorithms are valid for this version only.
  [[nodiscard]] std::string library() const;

 private:
  struct Plan;
  struct Call;
  /// Plans the calls of a product; empty if cuBLASLt does not support it.
  [[nodiscard]] std::vector<Call> plan_calls(args::Gemm g, DType in, DType out);
  /// Returns the plan of a problem, creating it on first use.
  const Plan& plan_of(const args::Gemm& g, const LtProblem& problem);
  /// Creates the descriptors of a plan, without an algorithm.
  [[nodiscard]] Plan describe(const LtProblem& problem) const;
  /// Sets the pointers that the epilogue uses; they differ from call to call.
  void point(const args::Gemm& g, const LtProblem& problem, const Plan& plan) const;
  /// Returns cuBLASLt's algorithms for a plan, best first; `alignments` in bytes, as
  /// LtProblem::alignment.
  [[nodiscard]] std::vector<jit::LtHeuristic> offers(const Plan& plan, const int (&alignments)[4],
                                                     int most) const;
  /// Sets the plan's algorithm, if there is one.
  void choose(const LtProblem& problem, Plan& plan) const;
  /// Sets the plan's algorithm to the tuned one; false if there is none or it cannot be used.
  [[nodiscard]] bool take_tuned(const LtProblem& problem, Plan& plan) const;
  [[nodiscard]] std::string fault_of(const Plan& plan, const jit::LtAlgo& algo) const;
  /// Returns an integer attribute of an algorithm; nullopt if it has no such attribute.
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

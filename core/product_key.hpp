#pragma once
// A library's matrix products as the tuning database and `eflow jit` name them, "cublaslt<bf16, bf16>(0, 1, 1)": a Spec for
// the kind of product, and its sizes. Internal to core; the name is for all.

#include "eflow/core/cublas_problem.hpp"
#include "eflow/jit/cublas_api.hpp"
#include "eflow/jit/tuning_record.hpp"

namespace eflow::detail {

inline constexpr char kProduct[] = "cublaslt";

/// Constants of its Spec; what is not named is 0. dtypes: of A and B; of C, bias and aux.
enum ProductConstant {
  kProductATransposed,  ///< A is stored [K, M]
  kProductBTransposed,  ///< B is stored [N, K], as a weight is
  kProductEpilogue,     ///< ProductEpilogue
  kProductExact,        ///< 1: f32 factors are not rounded to TF32
  kProductGaps,         ///< bits 1, 2, 4: rows of A, B, C lie further apart than they are long
  kProductShared,       ///< bits 1, 2: one A, one B for the whole batch
  kProductNarrow,  ///< an octal digit each for A, B, C: 0 for addresses of 16 bytes, 1 for 8, ...
  kProductChoice,  ///< which of the tuner's algorithms; no part of the key
};
enum ProductEpilogue {
  kProductBias = 1,
  kProductGelu = 2,
  kProductAux = 4,
  kProductGeluGradient = 8,  ///< with kProductAux
};

/// m, n, k, problems: C [m, n].
[[nodiscard]] jit::ShapeBucket product_shape(const LtProblem& problem);
[[nodiscard]] jit::Spec product_spec(const LtProblem& problem);

/// How an algorithm's 64 bytes are kept in a record: as the values of 16 tunables.
inline constexpr int kAlgoWords = 16;
[[nodiscard]] std::vector<int> words_of(const jit::LtAlgo& algo);
[[nodiscard]] jit::LtAlgo algo_of(const std::vector<int>& words);
/// "word0", ...
[[nodiscard]] std::vector<std::string> algo_tunables();

}  // namespace eflow::detail

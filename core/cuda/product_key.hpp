#pragma once
// Names of cuBLASLt products for the tuning database and `eflow jit`: a KernelSpec for the kind of
// product, such as "cublaslt<bf16, bf16>(0, 1, 1)", and its sizes. Internal to core.

#include "eflow/core/cuda/cublas_problem.hpp"
#include "eflow/jit/cache/tuning_record.hpp"
#include "eflow/jit/cuda/cublas_api.hpp"

namespace eflow::detail {

inline constexpr char kProduct[] = "cublaslt";

/// Constants of the KernelSpec; by default 0. Its dtypes are that of A and B, and that of C, bias and
/// aux.
enum ProductConstant {
  kProductATransposed,  ///< 1: A is stored as [K, M]
  kProductBTransposed,  ///< 1: B is stored as [N, K], like a weight
  kProductEpilogue,     ///< bits of ProductEpilogue
  kProductExact,        ///< 1: f32 factors are not rounded to TF32
  kProductGaps,         ///< bits 1, 2, 4: rows of A, B, C have gaps between them
  kProductShared,       ///< bits 1, 2: the batch shares one A, one B
  kProductNarrow,  ///< an octal digit for each of A, B, C: 0 for 16-byte alignment, 1 for 8, ...
  kProductChoice,  ///< index of the tuner's algorithm; not part of the key
};
/// Bits of kProductEpilogue.
enum ProductEpilogue {
  kProductBias = 1,
  kProductGelu = 2,
  kProductAux = 4,
  kProductGeluGradient = 8,  ///< with kProductAux
};

/// Returns m, n, k, problems, for C [m, n].
[[nodiscard]] jit::ShapeBucket product_shape(const LtProblem& problem);
/// Returns the KernelSpec of a problem, with kProductChoice 0.
[[nodiscard]] jit::KernelSpec product_spec(const LtProblem& problem);

/// A tuning record stores an algorithm's 64 bytes as the values of 16 tunables.
inline constexpr int kAlgoWords = 16;
[[nodiscard]] std::vector<int> words_of(const jit::LtAlgo& algo);
/// Inverse of words_of.
[[nodiscard]] jit::LtAlgo algo_of(const std::vector<int>& words);
/// Returns "word0", "word1", ...
[[nodiscard]] std::vector<std::string> algo_tunables();

}  // namespace eflow::detail

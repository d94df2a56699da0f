#pragma once
// Translates a product of args/gemm.h to cuBLASLt's terms. cuBLASLt's matrices are column-major,
// ours row-major: it computes the transpose C^T = B^T A^T, which needs no copy. Internal to core.

#include <compare>
#include <cstdint>
#include <optional>

#include "eflow/core/base/dtype.hpp"
#include "eflow/kernels_src/args/gemm.h"

namespace eflow::detail {

/// In bytes. No cuBLASLt algorithm requires more: its widest loads and copies have 16 bytes.
inline constexpr int kLtAlignment = 16;

/// A column-major matrix: columns are `ld` elements apart, matrices of a batch `stride` elements.
struct LtMatrix {
  int type = 0, batch = 1;
  std::int64_t rows = 0, columns = 0, ld = 0, stride = 0;
  friend auto operator<=>(const LtMatrix&, const LtMatrix&) = default;
};

/// Everything that the choice of an algorithm depends on: the key of a plan.
struct LtProblem {
  LtMatrix a, b, c, d;  ///< a is our B, b our A, c the addend (residual or C), d our C
  int transpose_a = 0, transpose_b = 0;
  int compute = 0, scale = 0, epilogue = 0;
  int alignment[4] = {};  ///< of the addresses of a, b, c, and d with bias and aux; bytes
  friend auto operator<=>(const LtProblem&, const LtProblem&) = default;
};

/// Returns the problems of batch dimension `inner` as one call. nullopt if cuBLASLt does not
/// support the product: a matrix with strides along both axes, an epilogue it lacks, or k = 0. in:
/// dtype of A and B; out: of C, bias, aux and residual. tf32: whether f32 factors may be rounded to
/// TF32.
[[nodiscard]] std::optional<LtProblem> lt_problem(const args::Gemm& g, DType in, DType out,
                                                  int inner, bool tf32);

}  // namespace eflow::detail

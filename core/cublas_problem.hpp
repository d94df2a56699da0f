#pragma once
// A product of args/gemm.h in cuBLASLt's words. Its matrices lie in columns, ours in rows: it computes the transpose,
// C^T = B^T A^T, which needs no copy.

#include <compare>
#include <cstdint>
#include <optional>

#include "eflow/base/dtype.hpp"
#include "eflow/kernels/args/gemm.h"

namespace eflow::detail {

/// Bytes beyond which none of its algorithms asks for a better alignment: loads and copies of 16.
inline constexpr int kLtAlignment = 16;

/// Columns ld elements apart, matrices of a batch `stride`.
struct LtMatrix {
  int type = 0, batch = 1;
  std::int64_t rows = 0, columns = 0, ld = 0, stride = 0;
  friend auto operator<=>(const LtMatrix&, const LtMatrix&) = default;
};

/// All that a choice of algorithm depends on.
struct LtProblem {
  LtMatrix a, b, c, d;  ///< a is our B, b our A, c what is added
  int transpose_a = 0, transpose_b = 0;
  int compute = 0, scale = 0, epilogue = 0;
  int alignment[4] = {};  ///< bytes, of the addresses of a, b, c, d (and bias, aux)
  friend auto operator<=>(const LtProblem&, const LtProblem&) = default;
};

/// The problems of batch dimension `inner` as one call. nullopt: cuBLASLt has no such product (strides along both axes, an
/// epilogue that is not its own, sums of nothing). in: of A and B, out: of the rest. tf32: f32 may be rounded to it.
[[nodiscard]] std::optional<LtProblem> lt_problem(const args::Gemm& g, DType in, DType out,
                                                  int inner, bool tf32);

}  // namespace eflow::detail

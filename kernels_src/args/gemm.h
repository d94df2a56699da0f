#pragma once
// Arguments of gemm.h and how its launch is cut into blocks. Sizes and strides are counted in elements.

namespace eflow::args {

/// GELU in its tanh form, or what becomes of a gradient that passes it.
enum GemmGelu { kNoGelu, kGeluOfSum, kGeluGradient };

/// C = epilogue(alpha A B + beta C) for each of batch[0] * batch[1] problems:
///   y = alpha sum_k A[m, k] B[k, n] + beta C[m, n] + bias[n]
///   aux[m, n] = y (where given);  y = gelu(y) or, of what aux has, y = gelu'(aux[m, n]) y (where asked);
///   C[m, n] = y + residual[m, n] (where given)
/// A and B are stored as one type, C, bias, aux and residual as another (the dtypes of the Spec, in this order). Sums are
/// kept in f32, or in f64 for f64. Any stride of a and b may be 0 or negative. k = 0 is a sum of nothing.
/// residual must not overlap c (beta adds in place).
struct Gemm {
  const void* a;
  const void* b;
  void* c;
  const void* bias;      ///< n elements, or null
  void* aux;             ///< what gelu is taken of, laid out like c; or null, but not for its gradient
  const void* residual;  ///< or null
  double alpha;
  double beta;  ///< 0: C is not read
  long long m, n, k;
  long long a_rs, a_cs;  ///< from one row (m), one column (k) to the next
  long long b_rs, b_cs;
  long long c_rs;  ///< rows of C are contiguous
  long long residual_rs;
  long long batch[2];
  long long a_bs[2], b_bs[2], c_bs[2],
      residual_bs[2];            ///< from one problem to the next; 0 = the same for all
  long long gelu;                ///< GemmGelu
  long long blocks_m, blocks_n;  ///< blocks of one problem; gemm_grid sets them
};
static_assert(sizeof(Gemm) == 240);

/// Blocks of a launch: x runs over the blocks of a problem, y and z over the batch.
struct GemmGrid {
  long long x, y, z;
};

/// Folds a batch into rows where B is the same for all.
inline void gemm_fold(Gemm& g) {
  for (int d = 1; d >= 0; --d) {
    // The rows of all problems are evenly spaced: one tall problem.
    const int other = 1 - d;
    const bool tall = g.batch[other] == 1 && g.batch[d] > 1 && g.b_bs[d] == 0 &&
                      g.a_bs[d] == g.m * g.a_rs && g.c_bs[d] == g.m * g.c_rs &&
                      (g.residual == nullptr || g.residual_bs[d] == g.m * g.residual_rs);
    if (tall) {
      g.m *= g.batch[d];
      g.batch[d] = 1;
    }
  }
}

/// What a block of a GPU makes of C.
inline constexpr int kGemmBlockRows = 128, kGemmBlockColumns = 64;

/// Cuts the launch for a GPU.
inline GemmGrid gemm_gpu_grid(Gemm& g) {
  gemm_fold(g);
  g.blocks_m = (g.m + kGemmBlockRows - 1) / kGemmBlockRows;
  g.blocks_n = (g.n + kGemmBlockColumns - 1) / kGemmBlockColumns;
  return {g.blocks_m * g.blocks_n, g.batch[0], g.batch[1]};
}

/// Cuts the launch for a pool of `threads`, each of which takes an equal, contiguous run of blocks: the fewest rounded-up
/// multiply-adds on the busiest thread, packing included. The cut changes nothing in the result.
inline GemmGrid gemm_grid(Gemm& g, int threads) {
  gemm_fold(g);
  const auto up = [](long long x, long long to) { return (x + to - 1) / to; };
  const long long problems = g.batch[0] * g.batch[1];
  g.blocks_m = g.blocks_n = 1;
  double best = -1;
  for (long long pm = 1; pm <= threads && problems > 0; ++pm) {
    for (long long pn = 1; pn * pm <= threads; ++pn) {
      const long long rows = up(up(g.m, pm), 24) * 24, columns = up(up(g.n, pn), 48) * 48;
      const long long rounds = up(problems * pm * pn, threads);
      // An operand packed costs about as much as 24 multiply-adds.
      const double work =
          static_cast<double>(rounds) * (static_cast<double>(rows) * static_cast<double>(columns) +
                                         24.0 * static_cast<double>(rows + columns));
      if (best < 0 || work < best) {
        best = work;
        g.blocks_m = pm;
        g.blocks_n = pn;
      }
    }
  }
  return {g.blocks_m * g.blocks_n, g.batch[0], g.batch[1]};
}

}  // namespace eflow::args

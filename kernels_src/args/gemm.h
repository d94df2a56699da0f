#pragma once
// Arguments of gemm.h, and the division of its launch into blocks. Sizes and strides are counted in
// elements.

namespace eflow::args {

/// GELU (tanh form) in the epilogue, or multiplication by its derivative.
enum GemmGelu { kNoGelu, kGeluOfSum, kGeluGradient };

/// C = epilogue(alpha A B + beta C) for each of batch[0] * batch[1] problems:
///   y = alpha sum_k A[m, k] B[k, n] + beta C[m, n] + bias[n]
///   aux[m, n] = y                      if aux is set and gelu is not kGeluGradient
///   y = gelu(y)                        kGeluOfSum
///   y = gelu'(aux[m, n]) y             kGeluGradient
///   C[m, n] = y + residual[m, n]       residual only if set
/// A and B have one stored type; C, bias, aux and residual another (the KernelSpec's dtypes, in this
/// order). Sums are f32, or f64 for f64. Strides of a and b may be 0 or negative. k = 0 is an empty
/// sum. residual must not overlap c; use beta to add in place.
struct Gemm {
  const void* a;
  const void* b;
  void* c;
  const void* bias;  ///< n elements, or null
  void* aux;         ///< argument of gelu, laid out like c; may be null except for kGeluGradient
  const void* residual;  ///< or null
  double alpha;
  double beta;  ///< 0: C is not read
  long long m, n, k;
  long long a_rs, a_cs;  ///< between rows (m), between columns (k)
  long long b_rs, b_cs;
  long long c_rs;  ///< between rows; a row of C is contiguous
  long long residual_rs;
  long long batch[2];
  long long a_bs[2], b_bs[2], c_bs[2],
      residual_bs[2];            ///< between problems; 0 = shared by all
  long long gelu;                ///< GemmGelu
  long long blocks_m, blocks_n;  ///< blocks per problem; set by gemm_grid
};
static_assert(sizeof(Gemm) == 240);

/// Blocks of a launch: x enumerates the blocks of a problem, y and z the batch.
struct GemmGrid {
  long long x, y, z;
};

/// Merges a batch dimension into the rows if B is the same for all of its problems.
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

/// Tile of C that one GPU block computes, and how many tiles along k its pipeline holds.
struct GemmTile {
  int rows, columns, stages;
};
inline constexpr GemmTile kGemmTile{128, 64, 2}, kLargeGemmTile{128, 128, 3};

/// Blocks of a problem along m and n.
constexpr long long gemm_gpu_blocks(long long size, int tile) {
  return (size + tile - 1) / tile;
}

/// Whether a product is computed by gemm_large, in large tiles: if these are enough for every
/// multiprocessor of an H100, and the last ones along n are not mostly empty. Not f64: its sums
/// would take all registers.
constexpr bool gemm_gpu_is_large(const Gemm& g, long long element_bytes) {
  constexpr long long kProcessors = 132;
  const long long columns = gemm_gpu_blocks(g.n, kLargeGemmTile.columns);
  const long long narrow = gemm_gpu_blocks(g.n, kGemmTile.columns) * kGemmTile.columns;
  return element_bytes <= 4 && 8 * columns * kLargeGemmTile.columns <= 9 * narrow &&
         gemm_gpu_blocks(g.m, kLargeGemmTile.rows) * columns * g.batch[0] * g.batch[1] >=
             kProcessors;
}

/// Divides the launch into GPU blocks. Sets g.blocks_m and g.blocks_n; may fold g's batch.
inline GemmGrid gemm_gpu_grid(Gemm& g, GemmTile tile) {
  gemm_fold(g);
  g.blocks_m = gemm_gpu_blocks(g.m, tile.rows);
  g.blocks_n = gemm_gpu_blocks(g.n, tile.columns);
  return {g.blocks_m * g.blocks_n, g.batch[0], g.batch[1]};
}

/// Bytes of shared memory of a block on a GPU: in each stage a tile of A and one of B, 64 bytes
/// along k.
constexpr long long gemm_gpu_shared_bytes(GemmTile tile, long long element_bytes) {
  const long long depth = (64 / element_bytes + 15) / 16 * 16;
  return tile.stages * (tile.rows + tile.columns) * depth * element_bytes;
}

/// Divides the launch for a pool of `threads`, each of which takes an equal, contiguous run of
/// blocks. Minimises the multiply-adds of the busiest thread, packing and rounding included. The
/// division does not change any result bit. Sets g.blocks_m and g.blocks_n; may fold g's batch.
inline GemmGrid gemm_grid(Gemm& g, int threads) {
  gemm_fold(g);
  const auto up = [](long long x, long long to) { return (x + to - 1) / to; };
  const long long problems = g.batch[0] * g.batch[1];
  g.blocks_m = g.blocks_n = 1;
  double best = -1;
  for (long long pm = 1; pm <= threads && problems > 0; ++pm) {
    for (long long pn = 1; pn * pm <= threads; ++pn) {
      // 24 and 48 are multiples of the micro-kernel's rows and columns on every instruction set.
      const long long rows = up(up(g.m, pm), 24) * 24, columns = up(up(g.n, pn), 48) * 48;
      const long long rounds = up(problems * pm * pn, threads);
      // Packing one operand costs about as much as 24 multiply-adds.
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

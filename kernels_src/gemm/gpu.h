#pragma once
// GEMM on a GPU. A block computes a tile of C of one problem, kGemmTile or, for products of many
// tiles, kLargeGemmTile, and walks k in tiles of 64 bytes per row. Operands are loaded in their
// memory order: along rows if k is contiguous, otherwise along columns; the product (mma_AB,
// mma_ABt, mma_AtB) is chosen to match. Tested with an emulated GPU in tests/kernels_src/gemm_gpu_test.cpp.

#include "eflow/kernels_src/args/gemm.h"
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

using eflow::args::Gemm;
using eflow::args::GemmTile;
using eflow::args::kGemmTile;
using eflow::args::kLargeGemmTile;

/// Rows of A or columns of B of one block: element (i, k) is at p[i * across + k * along].
template <class T>
struct GemmSource {
  const T* p;
  Index across, along;
  Index count;

  /// View of the elements from k on as tile rows, with k along the tile's rows.
  EFLOW_FN View<const T> by_rows(Index k, Index end) const {
    return {p + k * along, across, count, end - k};
  }
  /// The same with k down the tile's columns.
  EFLOW_FN View<const T> by_columns(Index k, Index end) const {
    return {p + k * along, along, end - k, count};
  }
};

/// Extent of a tile along k: 64 bytes.
template <class T>
inline constexpr int kGemmDepth = 64 / static_cast<int>(sizeof(T));

/// Loads the tiles of one operand in the order of k. kRows: k runs along the rows of the tile, which
/// has kAcross rows, otherwise kAcross columns. If rows are whole chunks of 16 bytes, a thread
/// computes the address of its chunks once; load_strided() would compute it for each.
template <class T, bool kRows, int kAcross>
struct GemmLoader {
  static constexpr int K = kGemmDepth<T>;
  static constexpr int R = kRows ? kAcross : K, C = kRows ? K : kAcross;
  using Tile = STile<T, R, C, Use::kRight>;               // all uses have one layout
  static constexpr int kStep = kThreads / Tile::kChunks;  ///< rows between a thread's chunks
  static constexpr int kOwn = Tile::kRows / kStep;        ///< its chunks
  static constexpr bool kEven =
      kThreads % (8 * Tile::kChunks) == 0 && Tile::kRows % kStep == 0 && kArch >= 80;

  GemmSource<T> source;
  Index end;  ///< of k
  bool in_chunks;
  int row, column;  ///< of the thread's first chunk
  const T* first;   ///< the chunk at k = 0

  EFLOW_FN GemmLoader(const GemmSource<T>& from, Index k) : source(from), end(k) {
    const auto i = static_cast<u32>(thread_index());
    constexpr u32 kChunks = Tile::kChunks;
    row = static_cast<int>(i / 8 / kChunks * 8 + i % 8);
    column = static_cast<int>(i / 8 % kChunks) * Tile::kPerChunk;
    in_chunks = kEven && (kRows ? from.along : from.across) == 1 && is_aligned(view(0), 16);
    first = from.p + row * (kRows ? from.across : from.along) + column;
  }
  EFLOW_FN View<const T> view(Index k) const {
    return kRows ? source.by_rows(k, end) : source.by_columns(k, end);
  }
  template <class To>
  EFLOW_FN void operator()(const To& tile, Index k) const {
    if (!in_chunks) return load_strided(tile, view(k), kRows ? source.along : source.across);
    if constexpr (kEven) {
      const int depth = limit(end - k, K), across = limit(source.count, kAcross);
      const int rows = kRows ? across : depth, columns = kRows ? depth : across;
      const int there = max_of(0, min_of(columns - column, Tile::kPerChunk));
      const T* from = first + k * source.along;
      T* to = tile.p + Tile::offset(row, column);
      EFLOW_UNROLL
      for (int own = 0; own < kOwn; ++own) {
        const int bytes = row + own * kStep < rows ? there * static_cast<int>(sizeof(T)) : 0;
        copy_async(to, bytes == 0 ? source.p : from, bytes);
        from += kStep * (kRows ? source.across : source.along);
        to += kStep * Tile::kPerChunk;
      }
    }
  }
};

/// acc += A B. kA (kLeft or kRight) and kB (kRightT or kRight) say whether k runs along an
/// operand's rows or down its columns.
template <int kStages, Use kA, Use kB, class T, class C, int M, int N>
EFLOW_FN void gemm_walk(Acc<C, M, N>& acc, Arena arena, const GemmSource<T>& a,
                        const GemmSource<T>& b, Index k) {
  constexpr int K = kGemmDepth<T>;
  constexpr bool kRowsOfA = kA == Use::kLeft, kRowsOfB = kB == Use::kRightT;
  const auto a_ring = alloc_ring < kStages, T, kRowsOfA ? M : K, kRowsOfA ? K : M, kA > (arena);
  const auto b_ring = alloc_ring < kStages, T, kRowsOfB ? N : K, kRowsOfB ? K : N, kB > (arena);
  const GemmLoader<T, kRowsOfA, M> load_a(a, k);
  const GemmLoader<T, kRowsOfB, N> load_b(b, k);
  const auto fetch = [&](Index at, int stage) {
    load_a(a_ring[stage], at);
    load_b(b_ring[stage], at);
  };
  pipeline<kStages>(0, k, K, fetch, [&](Index, int stage) {
    if constexpr (!kRowsOfA)
      mma_AtB(acc, a_ring[stage], b_ring[stage]);
    else if constexpr (kRowsOfB)
      mma_ABt(acc, a_ring[stage], b_ring[stage]);
    else
      mma_AB(acc, a_ring[stage], b_ring[stage]);
  });
}

/// The sums of a block on their way to C: 32 columns at a time through shared memory, so that a
/// warp's accesses to memory are contiguous, and so that the epilogue is one loop over numbers
/// rather than unrolled code and registers for every sum that a thread holds.
template <class C, int M, int N>
struct GemmSums {
  static constexpr int kColumns = 32;
  static constexpr int kStride = kColumns + 8;  ///< eight rows of neighbours in different banks
  static_assert(N % kColumns == 0);
  C* p;

  EFLOW_FN explicit GemmSums(Arena& arena)
      : p(reinterpret_cast<C*>(take<Index{M} * kStride * sizeof(C)>(arena))) {}
  /// Stores columns [first, first + kColumns).
  EFLOW_FN void put(const Acc<C, M, N>& acc, int first) const {
    using Rows = Strips<M>;
    EFLOW_UNROLL
    for (int own = 0; own < Rows::kOwn; ++own) {
      EFLOW_UNROLL
      for (int half = 0; half < 2 && Rows::exists(own); ++half) {
        C* const of_row = p + Rows::row(own, half) * kStride;
        EFLOW_UNROLL
        for (int strip = 0; strip < kColumns / 8; ++strip) {
          const C* const sums = acc.v[own][first / 8 + strip] + 2 * half;
          *reinterpret_cast<Neighbours<C>*>(of_row + column_of(strip)) = {sums[0], sums[1]};
        }
      }
    }
  }
  /// Calls f(row, column, two sums, how many of them) for the sums within rows x columns.
  template <class F>
  EFLOW_FN void each(const Acc<C, M, N>& acc, int rows, int columns, F&& f) const {
    constexpr u32 kPairs = kColumns / 2;
    EFLOW_ONE_BY_ONE
    for (int first = 0; first < columns; first += kColumns) {
      block_barrier();
      EFLOW_UNROLL
      for (int part = 0; part < N; part += kColumns) {
        if (part == first) put(acc, part);
      }
      block_barrier();
      EFLOW_ONE_BY_ONE
      for (u32 i = static_cast<u32>(thread_index()); i < static_cast<u32>(rows) * kPairs;
           i += kThreads) {
        const int row = static_cast<int>(i / kPairs), at = static_cast<int>(i % kPairs) * 2;
        const int count = min_of(2, columns - first - at);
        const auto pair = *reinterpret_cast<const Neighbours<C>*>(p + row * kStride + at);
        if (count > 0) f(row, first + at, pair, count);
      }
    }
  }
};

/// The product in tiles of M x N.
template <class T, class O, int M, int N, int kStages>
EFLOW_FN void gemm_tile(const Block& block, const Gemm& g) {
  using C = Compute<T>;
  const Index i = block.x % g.blocks_m * M, j = block.x / g.blocks_m * N;
  const Index y = block.y, z = block.z, rows = g.m - i, columns = g.n - j;
  const GemmSource<T> a{static_cast<const T*>(g.a) + y * g.a_bs[0] + z * g.a_bs[1] + i * g.a_rs,
                        g.a_rs, g.a_cs, rows};
  const GemmSource<T> b{static_cast<const T*>(g.b) + y * g.b_bs[0] + z * g.b_bs[1] + j * g.b_cs,
                        g.b_cs, g.b_rs, columns};
  Arena arena(block);
  Acc<C, M, N> acc;
  fill(acc, C(0));
  if (g.b_cs != 1)
    gemm_walk<kStages, Use::kLeft, Use::kRightT>(acc, arena, a, b, g.k);
  else if (g.a_rs != 1 || g.a_cs == 1)
    gemm_walk<kStages, Use::kLeft, Use::kRight>(acc, arena, a, b, g.k);
  else
    gemm_walk<kStages, Use::kRight, Use::kRight>(acc, arena, a, b, g.k);

  const Index c_at = y * g.c_bs[0] + z * g.c_bs[1] + i * g.c_rs + j;
  O* const c = static_cast<O*>(g.c) + c_at;
  O* const aux = g.aux == nullptr ? nullptr : static_cast<O*>(g.aux) + c_at;
  const O* const bias = g.bias == nullptr ? nullptr : static_cast<const O*>(g.bias) + j;
  const O* const residual = g.residual == nullptr
                                ? nullptr
                                : static_cast<const O*>(g.residual) + y * g.residual_bs[0] +
                                      z * g.residual_bs[1] + i * g.residual_rs + j;
  const auto number = [](O x) { return static_cast<C>(widen(x)); };
  const GemmSums<C, M, N> sums(arena);
  const bool in_pairs = is_aligned(View<O>{c, g.c_rs, 0, 0}, 2 * static_cast<int>(sizeof(O)));
  sums.each(acc, limit(rows, M), limit(columns, N),
            [&](int row, int column, const Neighbours<C>& pair, int count) {
              const Index at = row * g.c_rs + column;
              C done[2];
              EFLOW_UNROLL
              for (int e = 0; e < 2; ++e) {
                const int there = e < count ? e : 0;  // beyond the edge: the last one again
                C x = C(g.alpha) * pair.v[there];
                if (g.beta != 0) x += C(g.beta) * number(c[at + there]);
                if (bias != nullptr) x += number(bias[column + there]);
                if (g.gelu == eflow::args::kGeluGradient)
                  x = gelu_grad(number(aux[at + there]), x);
                else if (aux != nullptr)
                  aux[at + there] = narrow<O>(x);
                if (g.gelu == eflow::args::kGeluOfSum) x = gelu(x);
                if (residual != nullptr)
                  x += number(residual[row * g.residual_rs + column + there]);
                done[e] = x;
              }
              const Neighbours<O> stored = neighbours<O>(done[0], done[1]);
              if (in_pairs && count == 2) {
                *reinterpret_cast<Neighbours<O>*>(c + at) = stored;
              } else {
                c[at] = stored.v[0];
                if (count == 2) c[at + 1] = stored.v[1];
              }
            });
}

/// T is the stored type of A and B, O that of C, bias, aux and residual. The unnamed integers are
/// the CPU text's tuning constants, ignored here.
template <class T, class O, int = 0, int = 0, int = 0>
void gemm(const Block& block, const Gemm& g) {
  gemm_tile<T, O, kGemmTile.rows, kGemmTile.columns, kGemmTile.stages>(block, g);
}
/// The same for large products (gemm_gpu_is_large).
template <class T, class O>
void gemm_large(const Block& block, const Gemm& g) {
  gemm_tile<T, O, kLargeGemmTile.rows, kLargeGemmTile.columns, kLargeGemmTile.stages>(block, g);
}

}  // namespace EFLOW_TEXT

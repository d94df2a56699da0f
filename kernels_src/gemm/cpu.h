#pragma once
// GEMM on the CPU. A block computes a rectangle of C of one problem:
//
//   for each strip of columns of B that fits the scratch memory
//     for each chunk of k
//       pack the chunk of the strip
//       for each strip of rows of A that stays in the second-level cache
//         pack it (or read it in place) and run the micro-kernel
//
// If k needs several chunks, partial sums stay in C or, if C's type cannot hold them, in scratch.

#include "eflow/kernels_src/args/gemm.h"
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

using eflow::args::Gemm;

// Blocking: bytes of a packed row along k, rows of a packed strip of A, and bytes of sums per row
// of a strip of B. 8 packed rows of A fit the first-level cache next to the current panel of B, a
// strip of A fits the second-level cache, and a strip of B fills most of the scratch.
inline constexpr Index kGemmChunkBytes = 3072;
inline constexpr Index kGemmRows = 192;
inline constexpr Index kGemmColumnBytes = 4224;
// Narrower strips of B if partial sums need part of the scratch.
inline constexpr Index kGemmPartialColumnBytes = 1920;
inline constexpr Index kGemmScratchBytes = 4 << 20;

/// One rectangle of C of one problem; pointers address its corner.
template <class T, class O>
struct GemmTask {
  Index m, n, k;
  PackSource<T> a, b;
  O* c;
  Index c_rs;
  const O* bias;
  O* aux;
  const O* residual;
  Index residual_rs;
  Compute<T> alpha, beta;
  int gelu;  ///< GemmGelu
};

/// p + by; a null pointer stays null.
template <class O>
EFLOW_FN O* offset_or_null(O* p, Index by) {
  return p == nullptr ? p : p + by;
}

template <class T, class O>
EFLOW_FN GemmTask<T, O> gemm_task(const Block& block, const Gemm& g) {
  const Index rows = ceil_div(ceil_div(g.m, g.blocks_m), 24) * 24;
  const Index columns = ceil_div(ceil_div(g.n, g.blocks_n), 48) * 48;
  const Index i = block.x % g.blocks_m * rows, j = block.x / g.blocks_m * columns;
  const Index y = block.y, z = block.z;
  const Index c_at = y * g.c_bs[0] + z * g.c_bs[1] + i * g.c_rs + j;
  GemmTask<T, O> t;
  t.m = min_of(rows, g.m - i);
  t.n = min_of(columns, g.n - j);
  t.k = g.k;
  t.a = {static_cast<const T*>(g.a) + y * g.a_bs[0] + z * g.a_bs[1] + i * g.a_rs, g.a_rs, g.a_cs};
  t.b = {static_cast<const T*>(g.b) + y * g.b_bs[0] + z * g.b_bs[1] + j * g.b_cs, g.b_cs, g.b_rs};
  t.c = static_cast<O*>(g.c) + c_at;
  t.c_rs = g.c_rs;
  t.bias = offset_or_null(static_cast<const O*>(g.bias), j);
  t.aux = offset_or_null(static_cast<O*>(g.aux), c_at);
  t.residual = offset_or_null(static_cast<const O*>(g.residual),
                              y * g.residual_bs[0] + z * g.residual_bs[1] + i * g.residual_rs + j);
  t.residual_rs = g.residual_rs;
  t.alpha = static_cast<Compute<T>>(g.alpha);
  t.beta = static_cast<Compute<T>>(g.beta);
  t.gelu = static_cast<int>(g.gelu);
  return t;
}

/// Epilogue: stores rows of finished sums to C, `columns` of them valid. kBare: only rounds to C's
/// type.
template <bool kBare, class T, class O>
EFLOW_FN void gemm_finish(const GemmTask<T, O>& t, Index i0, Index j0, Index rows, Index columns,
                          const Compute<T>* sums, Index stride) {
  using C = Compute<T>;
  for (Index i = 0; i < rows; ++i) {
    const Index at = (i0 + i) * t.c_rs + j0;
    each<C>(0, columns, [&](auto j) {
      Pack<C> y = load<C>(sums + i * stride, j);
      if constexpr (!kBare) {
        y = t.alpha * y;
        if (t.beta != 0) y += t.beta * load<C>(t.c + at, j);
        if (t.bias != nullptr) y += load<C>(t.bias + j0, j);
        if (t.gelu == eflow::args::kGeluGradient)
          y = gelu_grad(Pack<C>(load<C>(t.aux + at, j)), y);
        else if (t.aux != nullptr)
          store(t.aux + at, j, y);
        if (t.gelu == eflow::args::kGeluOfSum) y = gelu(y);
        if (t.residual != nullptr) y += load<C>(t.residual + (i0 + i) * t.residual_rs + j0, j);
      }
      store(t.c + at, j, y);
    });
  }
}

/// Destination of the sums, between chunks of k and at the end.
template <class T, class O>
struct GemmSums {
  using C = Compute<T>;
  const GemmTask<T, O>& t;
  bool plain;  ///< C = (C +) A B: sums go straight to C
  bool bare;   ///< C = A B, rounded
  bool in_scratch;
  C* p;  ///< partial sums of the current rectangle, in C or scratch
  Index stride;
  Index i0, j0;  ///< corner of the current rectangle in the task

  EFLOW_FN explicit GemmSums(const GemmTask<T, O>& task, bool several_chunks)
      : t(task), i0(0), j0(0) {
    const bool linear = t.alpha == 1 && t.bias == nullptr && t.aux == nullptr &&
                        t.residual == nullptr && t.gelu == eflow::args::kNoGelu;
    plain = kSameType<O, C> && linear && (t.beta == 0 || t.beta == 1);
    bare = linear && t.beta == 0;
    in_scratch = several_chunks && !plain && !(kSameType<O, C> && t.beta == 0);
    p = nullptr;
    stride = 0;
  }

  /// Starts the rectangle at (i, j) of the task.
  EFLOW_FN void at(Index i, Index j, C* scratch, Index scratch_stride) {
    i0 = i;
    j0 = j;
    stride = in_scratch ? scratch_stride : t.c_rs;
    if (in_scratch)
      p = scratch;
    else if constexpr (kSameType<O, C>)
      p = t.c + i * t.c_rs + j;
  }

  /// Runs the micro-kernel for element (i, j) of the rectangle; rows x columns of its result are
  /// valid. first, last: of the chunks of k.
  template <class E>
  EFLOW_FN void run(KernelCall<E> call, int vectors, Index i, Index j, Index rows, Index columns,
                    bool first, bool last) {
    const bool add = !first || (plain && t.beta == 1);
    constexpr int kRows = kRowsOf<E>;
    const bool whole = in_scratch || (rows == kRows && columns == vectors * kLanes<C>);
    const bool finish = last && !plain;
    if (whole && !finish) {
      call.c = p + i * stride + j;
      call.c_row = stride;
      call.add = add;
      run_kernel<kRows>(vectors, call);
      return;
    }
    alignas(64) C sums[kRows * kVectorsOf<E> * kLanes<C>];
    call.c = sums;
    call.c_row = vectors * kLanes<C>;
    call.add = false;
    run_kernel<kRows>(vectors, call);
    if (add) add_partial(sums, call.c_row, i, j, rows, columns);
    if (finish && bare)
      gemm_finish<true>(t, i0 + i, j0 + j, rows, columns, sums, call.c_row);
    else if (finish)
      gemm_finish<false>(t, i0 + i, j0 + j, rows, columns, sums, call.c_row);
    else
      put_partial(sums, call.c_row, i, j, rows, columns);
  }

  EFLOW_FN void add_partial(C* sums, Index sums_stride, Index i, Index j, Index rows,
                            Index columns) {
    for (Index r = 0; r < rows; ++r) {
      each<C>(0, columns, [&](auto c) {
        C* const s = sums + r * sums_stride;
        store(s, c, load<C>(p + (i + r) * stride + j, c) + load<C>(s, c));
      });
    }
  }
  EFLOW_FN void put_partial(const C* sums, Index sums_stride, Index i, Index j, Index rows,
                            Index columns) {
    for (Index r = 0; r < rows; ++r) {
      C* const to = p + (i + r) * stride + j;
      const C* const from = sums + r * sums_stride;
      // Edges are rarely whole vectors. Copies of four may overlap, since nothing is accumulated
      // here.
      for (Index c = 0; columns >= 4 && c < columns; c += 4) {
        const Index w = min_of(c, columns - 4);
        put(to + w, quad_along<C>(from + w));
      }
      for (Index c = 0; columns < 4 && c < columns; ++c) to[c] = from[c];
    }
  }
};

/// Rows of A as the kernel reads them: strides within a run of kRowsOf<E> rows, and between runs.
template <class E>
struct GemmRows {
  const E* p;
  Index row, k, next;
};

/// Columns of B as the kernel reads them.
template <class E>
struct GemmColumns {
  const E* p;
  Index k;  ///< stride along k; 0: packed panels, back to back
};

/// Multiplies rows [i, i + m) of a strip of A by a strip of n columns of B.
template <class E, class S>
EFLOW_FN void gemm_multiply(S& sums, GemmRows<E> a, Index i, Index m, GemmColumns<E> b, Index n,
                            Index k, bool first, bool last) {
  const Panels<E> panels(n);
  const Index steps = ceil_div(k, kDepth<E>);
  for (Index panel = 0; panel < panels.count; ++panel) {
    const Index j = panels.begin(panel);
    const int vectors = panels.width(panel);
    const Index width = vectors * kLanes<Sum<E>>;
    const E* const columns = b.p + (b.k == 0 ? j * steps : j);
    const E* run = a.p;
    for (Index r = 0; r < m; r += kRowsOf<E>) {
      const KernelCall<E> call{steps,   run, a.row, a.k, columns, b.k == 0 ? width : b.k,
                               nullptr, 0,   false};
      sums.run(call, vectors, i + r, j, min_of<Index>(kRowsOf<E>, m - r), min_of(width, n - j),
               first, last);
      run += a.next;
    }
  }
}

/// Packs rows of A as the kernel reads them.
template <class E, class T>
EFLOW_FN GemmRows<E> gemm_pack_rows(E* to, PackSource<T> a, Index rows, Index k) {
  const Index steps = ceil_div(k, kDepth<E>);
#if EFLOW_MATRIX_UNIT
  if constexpr (kOnUnit<E>) {
    const Index stride = ceil_div(steps, kUnit) * kUnit;
    pack_unit_rows(to, stride, a, rows, k);
    return {to, stride, 1, kRowsOf<E> * stride};
  }
#endif
  pack_rows(to, a, rows, k);
  return {to, 1, kKernelRows, kKernelRows * steps};
}

/// Whether to read whole runs of A in place: with few columns, a row of A is used too rarely to pay
/// for packing; short rows are in the first-level cache anyway; a matrix unit reads rows as they are.
/// Excluded are long rows a multiple of 4 KiB apart, which share sets of the first-level cache, and
/// bf16 pairs that are misaligned or incomplete.
template <class E, class T>
EFLOW_FN bool gemm_reads_a_in_place(PackSource<T> a, Index n, Index k) {
  if (!kSameType<T, E> && kDepth<E> == 1) return false;  // needs conversion
  if (n > 128 && !kOnUnit<E> && (a.along != 1 || k > 256)) return false;
  if constexpr (kDepth<E> == 2) {
    if (a.along != 1 || a.across % 2 != 0 || k % 2 != 0 || reinterpret_cast<u64>(a.p) % 4 != 0)
      return false;
  }
  if (kOnUnit<E> && a.along != 1) return false;
  return a.along == 1 ? a.across * static_cast<Index>(sizeof(T)) % 4096 != 0 || k <= 128 : k <= 256;
}

/// Whether to read B in place: with few rows, packing does not pay. With more of them, rows that share
/// sets of the first-level cache would be loaded again and again. Requires that no vector load reads
/// past a row's end.
template <class E, class T>
EFLOW_FN bool gemm_reads_b_in_place(PackSource<T> b, Index m, Index n, Index k) {
  return kSameType<E, T> && b.across == 1 && m <= 64 && k <= 256 && n % kLanes<Sum<E>> == 0;
}

/// T is the stored type of A and B, O that of C, bias, aux and residual. The integers override the
/// blocking constants above for the tuner; 0 keeps the default.
template <class T, class O, int kTunedChunkBytes = 0, int kTunedRows = 0, int kTunedColumnBytes = 0>
void gemm(const Block& block, const Gemm& g) {
  using E = Operand<T>;
  using C = Compute<T>;
  constexpr Index kChunkBytes = kTunedChunkBytes == 0 ? kGemmChunkBytes : kTunedChunkBytes;
  constexpr Index kRows = kTunedRows == 0 ? kGemmRows : kTunedRows;
  constexpr Index kColumnBytes = kTunedColumnBytes == 0 ? kGemmColumnBytes : kTunedColumnBytes;
  const GemmTask<T, O> t = gemm_task<T, O>(block, g);
  if (t.m <= 0 || t.n <= 0) return;
  constexpr Index kMaxChunk = kChunkBytes / static_cast<Index>(sizeof(E)) * kDepth<E>;
  const Index chunks = max_of<Index>(1, ceil_div(t.k, kMaxChunk));
  constexpr Index kStep = kOnUnit<E> ? 16 * kDepth<E> : 2;
  const Index chunk = max_of<Index>(kStep, ceil_div(ceil_div(t.k, chunks), kStep) * kStep);

  GemmSums<T, O> sums(t, chunks > 1);
  const Index max_columns =
      (sums.in_scratch ? min_of(kGemmPartialColumnBytes, kColumnBytes) : kColumnBytes) /
      static_cast<Index>(sizeof(C));
  const Index columns = ceil_div(ceil_div(t.n, ceil_div(t.n, max_columns)), 48) * 48;
  const bool a_in_place = gemm_reads_a_in_place<E>(t.a, t.n, t.k);
  const bool b_in_place = gemm_reads_b_in_place<E>(t.b, t.m, t.n, t.k);
  Arena arena(block);
  E* const a = take<E>(arena, (kRows + kRowsOf<E>)*kMaxChunk / kDepth<E>);
  E* const b = take<E>(arena, columns * kMaxChunk / kDepth<E>);
  C* const partial = take<C>(arena, 0);
  const Index left =
      (block.scratch + kGemmScratchBytes - arena.next) / (columns * static_cast<Index>(sizeof(C)));
  const Index partial_rows = sums.in_scratch ? (left - kRowsOf<E>) / 24 * 24 : t.m;

  for (Index j = 0; j < t.n; j += columns) {
    const Index n = min_of(columns, t.n - j);
    for (Index i0 = 0; i0 < t.m; i0 += partial_rows) {
      const Index i1 = min_of(i0 + partial_rows, t.m);
      sums.at(i0, j, partial, columns);
      for (Index k0 = 0; k0 == 0 || k0 < t.k; k0 += chunk) {
        const Index k = min_of(chunk, t.k - k0);
        const bool first = k0 == 0, last = k0 + k >= t.k;
        GemmColumns<E> right{b, 0};
        if (b_in_place)
          right = {reinterpret_cast<const E*>(t.b.from(j, k0).p), t.b.along};
        else
          pack_panels(b, t.b.from(j, k0), n, k);
        Index i = i0;
        if (a_in_place) {
          const Index whole = (i1 - i0) / kRowsOf<E> * kRowsOf<E>;
          const Index across = t.a.across / kDepth<E>;
          const E* const p = reinterpret_cast<const E*>(t.a.from(i0, k0).p);
          for (; i < i0 + whole; i += kRows) {
            const GemmRows<E> rows{p + (i - i0) * across, across, t.a.along, kRowsOf<E> * across};
            gemm_multiply(sums, rows, i - i0, min_of(kRows, i0 + whole - i), right, n, k, first,
                          last);
          }
          i = i0 + whole;
        }
        for (; i < i1; i += kRows) {
          const Index m = min_of(kRows, i1 - i);
          const GemmRows<E> rows = gemm_pack_rows(a, t.a.from(i, k0), m, k);
          gemm_multiply(sums, rows, i - i0, m, right, n, k, first, last);
        }
      }
    }
  }
}

/// A GPU's text has larger tiles under this name.
template <class T, class O>
void gemm_large(const Block& block, const Gemm& g) {
  gemm<T, O>(block, g);
}

}  // namespace EFLOW_TEXT

#pragma once
// Products of tiles on a GPU.
// - bf16: wgmma where the shape allows (cuda/matrix_warpgroup.h), otherwise one mma.sync per step.
// - f16: one mma.sync per step.
// - f32: three tf32 products of the high and low parts of each number, exact to about 2^-22.
// - f64, i8, and all types before sm_80: scalar multiply-adds of the elements that a thread holds.
//
// A step is the extent of one instruction along k: two 16-byte chunks of a row.

#include "eflow/kernels_src/tile/cuda/matrix_warpgroup.h"

namespace EFLOW_TEXT {

/// Stored floats of 16 bits.
template <class T>
inline constexpr bool kIsHalf = kIsBf16<T> || kSameType<T, f16>;
template <class T>
inline constexpr bool kInstructions = kArch >= 80 && (kIsHalf<T> || kSameType<T, float>);
/// Elements along k per step: 16 for bf16 and f16, 8 for f32.
template <class T>
inline constexpr int kStep = 32 / static_cast<int>(sizeof(T));

/// Operand A or B of one instruction; for f32 also the part lost by rounding to tf32.
template <class T, int kWords>
struct Fragment {
  u32 v[kWords];
};
template <int kWords>
struct Fragment<float, kWords> {
  u32 v[kWords];
  u32 rest[kWords];
};

EFLOW_FN float float_of(u32 bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
EFLOW_FN void set_word(Fragment<float, 4>& f, int i, float x) {
  f.v[i] = tf32_bits(x);
  f.rest[i] = tf32_bits(x - float_of(f.v[i]));
}

template <class T, class W>
EFLOW_FN Fragment<T, 4> fragment_of(const W& words) {
  Fragment<T, 4> out;
  EFLOW_UNROLL
  for (int i = 0; i < 4; ++i) {
    if constexpr (kSameType<T, float>)
      set_word(out, i, float_of(words[i]));
    else
      out.v[i] = words[i];
  }
  return out;
}

/// A: rows [row, row + 16) of a tile, step k.
template <class T, int M, int K>
EFLOW_FN Fragment<T, 4> left_fragment(const STile<T, M, K, Use::kLeft>& a, int row, int k) {
  const int lane = lane_index();
  u32 words[4];
  load_matrices(words, a.p + a.chunk(row + lane % 16, 2 * k + lane / 16));
  return fragment_of<T>(words);
}

/// A^T: columns [row, row + 16) of a tile, step k.
template <class T, int K, int M>
EFLOW_FN Fragment<T, 4> left_fragment(const STile<T, K, M, Use::kRight>& a, int row, int k) {
  const int lane = lane_index();
  if constexpr (kIsHalf<T>) {
    u32 words[4];
    load_matrices_transposed(
        words, a.p + a.chunk(k * 16 + lane % 8 + lane / 16 * 8, row / 8 + lane / 8 % 2));
    return fragment_of<T>(words);
  } else {
    Fragment<T, 4> out;
    EFLOW_UNROLL
    for (int i = 0; i < 4; ++i)
      set_word(out, i, a.p[a.offset(k * 8 + lane % 4 + i / 2 * 4, row + lane / 4 + i % 2 * 8)]);
    return out;
  }
}

/// B: two strips of 8 columns, starting at `column`; two words for each.
template <class T, int N, int K>
EFLOW_FN Fragment<T, 4> right_fragment(const STile<T, N, K, Use::kRightT>& b, int column, int k) {
  const int lane = lane_index();
  u32 words[4];
  load_matrices(words, b.p + b.chunk(column + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
  return fragment_of<T>(words);
}
template <class T, int K, int N>
EFLOW_FN Fragment<T, 4> right_fragment(const STile<T, K, N, Use::kRight>& b, int column, int k) {
  const int lane = lane_index();
  if constexpr (kIsHalf<T>) {
    u32 words[4];
    load_matrices_transposed(words, b.p + b.chunk(k * 16 + lane % 16, column / 8 + lane / 16));
    return fragment_of<T>(words);
  } else {
    Fragment<T, 4> out;
    EFLOW_UNROLL
    for (int i = 0; i < 4; ++i)
      set_word(out, i, b.p[b.offset(k * 8 + lane % 4 + i % 2 * 4, column + lane / 4 + i / 2 * 8)]);
    return out;
  }
}

/// c += a b; `half` selects the strip of b.
template <class T>
EFLOW_FN void multiply(float (&c)[4], const Fragment<T, 4>& a, const Fragment<T, 4>& b, int half) {
  const int i = 2 * half;
  if constexpr (kIsBf16<T>) {
    multiply_bf16(c, a.v, b.v[i], b.v[i + 1]);
  } else if constexpr (kIsHalf<T>) {
    multiply_f16(c, a.v, b.v[i], b.v[i + 1]);
  } else {
    multiply_tf32(c, a.rest, b.v[i], b.v[i + 1]);
    multiply_tf32(c, a.v, b.rest[i], b.rest[i + 1]);
    multiply_tf32(c, a.v, b.v[i], b.v[i + 1]);
  }
}

/// acc += A B over one step. left(own strip) and right(column) return the fragments.
template <int M, int N, class L, class B>
EFLOW_FN void multiply_step(Acc<float, M, N>& acc, L&& left, B&& right) {
  using Rows = Strips<M>;
  decltype(left(0)) a[Rows::kOwn];
  EFLOW_UNROLL
  for (int own = 0; own < Rows::kOwn; ++own) {
    if (Rows::exists(own)) a[own] = left(own);
  }
  EFLOW_UNROLL
  for (int strip = 0; strip < acc.kColumnStrips; strip += 2) {
    const auto b = right(8 * strip);
    EFLOW_UNROLL
    for (int own = 0; own < Rows::kOwn; ++own) {
      if (!Rows::exists(own)) continue;
      multiply(acc.v[own][strip], a[own], b, 0);
      if (strip + 1 < acc.kColumnStrips) multiply(acc.v[own][strip + 1], a[own], b, 1);
    }
  }
}

/// acc += A B over kSteps steps. left(own strip, step) and right(column, step) return the
/// fragments. The f32 loop is not unrolled: its three products make each step long, and unrolling
/// would exhaust the registers and take the assembler minutes.
template <class T, int kSteps, int M, int N, class L, class B>
EFLOW_FN void multiply_steps(Acc<float, M, N>& acc, L&& left, B&& right) {
  if (!Strips<M>::exists(0)) return;
  const auto step = [&](int k) {
    multiply_step(
        acc, [&](int own) { return left(own, k); }, [&](int column) { return right(column, k); });
  };
  if constexpr (kSameType<T, float>) {
    EFLOW_ONE_BY_ONE
    for (int k = 0; k < kSteps; ++k) step(k);
  } else {
    EFLOW_UNROLL
    for (int k = 0; k < kSteps; ++k) step(k);
  }
}

/// acc += sum over k < kCount of left(row, k) right(k, column), in the type of the sums.
template <int kCount, class C, int M, int N, class L, class B>
EFLOW_FN void multiply_scalars(Acc<C, M, N>& acc, L&& left, B&& right) {
  using Rows = Strips<M>;
  if (!Rows::exists(0)) return;
  for (int k = 0; k < kCount; ++k) {
    C a[Rows::kOwn][2];
    each_row<M>([&](int own, int half, int row) {
      a[own][half] = Rows::exists(own) ? left(row, k) : C(0);
    });
    each_column<N>([&](int strip, int e, int column) {
      const C b = right(k, column);
      EFLOW_UNROLL
      for (int own = 0; own < Rows::kOwn; ++own) {
        acc.v[own][strip][e] += a[own][0] * b;
        acc.v[own][strip][2 + e] += a[own][1] * b;
      }
    });
  }
}

/// A(row, k) and B(k, column), from a tile in either orientation.
template <class C, class T, int R, int N, Use kUse>
EFLOW_FN C left_element(const STile<T, R, N, kUse>& a, int row, int k) {
  constexpr bool kRows = kUse == Use::kLeft;
  return static_cast<C>(widen(kRows ? a.p[a.offset(row, k)] : a.p[a.offset(k, row)]));
}
template <class C, class T, int R, int N, Use kUse>
EFLOW_FN C right_element(const STile<T, R, N, kUse>& b, int k, int column) {
  constexpr bool kRows = kUse == Use::kRight;
  return static_cast<C>(widen(kRows ? b.p[b.offset(k, column)] : b.p[b.offset(column, k)]));
}

/// acc += A B over K elements along k.
template <class T, int K, class C, int M, int N, class A, class B>
EFLOW_FN void multiply_tiles(Acc<C, M, N>& acc, const A& a, const B& b) {
  if constexpr (kByWarpgroup<T, M>) {
    multiply_by_warpgroup<whole(K, 16) / 16, A::kRole == Use::kRight>(
        acc, [&](int, int row, int k) { return operand_of(a, row, k); }, b);
  } else if constexpr (kInstructions<T>) {
    multiply_steps<T, whole(K, kStep<T>) / kStep<T>>(
        acc, [&](int own, int k) { return left_fragment(a, 16 * Strips<M>::index(own), k); },
        [&](int column, int k) { return right_fragment(b, column, k); });
  } else {
    multiply_scalars<K>(
        acc, [&](int row, int k) { return left_element<C>(a, row, k); },
        [&](int k, int column) { return right_element<C>(b, k, column); });
  }
}

template <class T, class C, int M, int N, int K>
EFLOW_FN void mma_AB(Acc<C, M, N>& acc, STile<T, M, K, Use::kLeft> a,
                     STile<T, K, N, Use::kRight> b) {
  multiply_tiles<T, K>(acc, a, b);
}
template <class T, class C, int M, int N, int K>
EFLOW_FN void mma_ABt(Acc<C, M, N>& acc, STile<T, M, K, Use::kLeft> a,
                      STile<T, N, K, Use::kRightT> b) {
  multiply_tiles<T, K>(acc, a, b);
}
template <class T, class C, int M, int N, int K>
EFLOW_FN void mma_AtB(Acc<C, M, N>& acc, STile<T, K, M, Use::kRight> a,
                      STile<T, K, N, Use::kRight> b) {
  multiply_tiles<T, K>(acc, a, b);
}

template <class A, class B, class C, int M, int N>
EFLOW_FN void set_AB(Acc<C, M, N>& acc, A a, B b) {
  fill(acc, C(0));
  mma_AB(acc, a, b);
}
template <class A, class B, class C, int M, int N>
EFLOW_FN void set_ABt(Acc<C, M, N>& acc, A a, B b) {
  fill(acc, C(0));
  mma_ABt(acc, a, b);
}
template <class A, class B, class C, int M, int N>
EFLOW_FN void set_AtB(Acc<C, M, N>& acc, A a, B b) {
  fill(acc, C(0));
  mma_AtB(acc, a, b);
}

/// Sums as operand A without leaving the registers: a lane's share of 16 columns of sums is exactly
/// its share of one step of A of 16 bits.
template <class T, int M, int K>
struct LeftSums {
  static constexpr int kSteps = (K + 15) / 16;
  Fragment<T, 4> v[Strips<M>::kOwn][kSteps];
};
/// One of a lane's sums; 0 beyond the valid columns, whose contents are undefined.
template <class C, int R, int N>
EFLOW_FN C valid_sum(const Acc<C, R, N>& acc, int own, int strip, int e) {
  if (strip >= acc.kColumnStrips) return C(0);
  return column_of(strip) + e % 2 < N ? acc.v[own][strip][e] : C(0);
}
template <class T, class C, int M, int K>
EFLOW_FN Fragment<T, 4> left_sums(const Acc<C, M, K>& acc, int own, int k) {
  Fragment<T, 4> out;
  EFLOW_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int strip = 2 * k + i / 2, e = 2 * (i % 2);
    const float low = valid_sum(acc, own, strip, e), high = valid_sum(acc, own, strip, e + 1);
    out.v[i] = kIsBf16<T> ? bf16_pair(low, high) : f16_pair(low, high);
  }
  return out;
}

/// Stores sums to a tile, rounded; padding becomes 0. The first barrier waits for readers of
/// the old contents, the second makes the new contents visible to the block.
template <class T, class C, int R, int N, Use kUse>
EFLOW_FN void put_sums(STile<T, R, N, kUse> tile, const Acc<C, R, N>& acc) {
  using Rows = Strips<R>;
  block_barrier();
  EFLOW_UNROLL
  for (int own = 0; own < Rows::kOwn; ++own) {
    EFLOW_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = Rows::row(own, half);
      if (!Rows::exists(own)) continue;
      EFLOW_UNROLL
      for (int strip = 0; strip < tile.kColumns / 8; ++strip) {
        const C low = valid_sum(acc, own, strip, 2 * half),
                high = valid_sum(acc, own, strip, 2 * half + 1);
        *reinterpret_cast<Neighbours<T>*>(tile.p + tile.offset(row, column_of(strip))) =
            row < R ? neighbours<T>(low, high) : neighbours<T>(C(0), C(0));
      }
    }
  }
  publish_shared_writes();
  block_barrier();
}

/// The sums as operand A of mma_AB: in registers for types of 16 bits, otherwise through the tile.
template <class T, class C, int R, int N>
EFLOW_FN auto as_A(STile<T, R, N, Use::kLeft> tile, const Acc<C, R, N>& acc) {
  if constexpr (kInstructions<T> && kIsHalf<T>) {
    LeftSums<T, R, N> out;
    EFLOW_UNROLL
    for (int own = 0; own < Strips<R>::kOwn; ++own) {
      EFLOW_UNROLL
      for (int k = 0; k < out.kSteps; ++k) out.v[own][k] = left_sums<T>(acc, own, k);
    }
    return out;
  } else {
    put_sums(tile, acc);
    return tile;
  }
}
template <class T, int M, int N, int K>
EFLOW_FN void mma_AB(Acc<float, M, N>& acc, const LeftSums<T, M, K>& a,
                     STile<T, K, N, Use::kRight> b) {
  constexpr int kSteps = LeftSums<T, M, K>::kSteps;
  if constexpr (kByWarpgroup<T, M>) {
    using Registers = u32[4];
    multiply_by_warpgroup<kSteps, false>(
        acc, [&](int own, int, int k) -> const Registers& { return a.v[own][k].v; }, b);
  } else {
    multiply_steps<T, kSteps>(
        acc, [&](int own, int k) { return a.v[own][k]; },
        [&](int column, int k) { return right_fragment(b, column, k); });
  }
}

/// The sums as operand A of mma_AtB. k runs along rows held by other warps, so they go through the
/// tile.
template <class T, class C, int R, int N>
EFLOW_FN STile<T, R, N, Use::kRight> as_At(STile<T, R, N, Use::kRight> tile,
                                           const Acc<C, R, N>& acc) {
  put_sums(tile, acc);
  return tile;
}

}  // namespace EFLOW_TEXT

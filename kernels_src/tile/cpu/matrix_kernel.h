#pragma once
// The register-blocked micro-kernel of every matrix product on the CPU: C[kRows][vectors] (+)=
// sum_k a(i, k) b(k, j). The accumulators fill the register file. An operand is a float, a double,
// or a pair of bf16, depending on the stored type. Every element of C is summed over k in ascending
// order whatever the blocking, so results depend on neither tile shapes nor threads.

#include "eflow/kernels_src/tile/cpu/matrix_unit.h"
#include "eflow/kernels_src/tile/cpu/pack.h"

namespace EFLOW_TEXT {

#if defined(__AVX512BF16__)
inline constexpr bool kBf16Dot = true;
#else
inline constexpr bool kBf16Dot = false;
#endif

/// Two bf16 adjacent along k, the even one in the lower half. Also written as single bf16, hence
/// may_alias.
struct __attribute__((may_alias)) Bf16Pair {
  u32 bits;
};

/// The operand type for a stored T, and the number of elements along k that it covers.
template <class T>
struct OperandOf {
  using type = Compute<T>;
};
template <>
struct OperandOf<i8> {
  using type = i32;
};
#if defined(__AVX512BF16__)
template <>
struct OperandOf<bf16> {
  using type = Bf16Pair;
};
#endif
template <class T>
using Operand = typename OperandOf<T>::type;
template <class E>
inline constexpr Index kDepth = 1;
template <>
inline constexpr Index kDepth<Bf16Pair> = 2;

/// Accumulator type of operands E.
template <class E>
struct SumOf {
  using type = E;
};
template <>
struct SumOf<Bf16Pair> {
  using type = float;
};
template <class E>
using Sum = typename SumOf<E>::type;

// 8 x 3 vectors of 32 registers, or 6 x 2 of 16: at least 92 % of peak with g++ and clang. 4 x 4 is
// slower with g++ 12, which folds the loads of b into the products.
#if defined(__AVX512F__)
inline constexpr int kKernelRows = 8;
inline constexpr int kKernelVectors = 3;
#else
inline constexpr int kKernelRows = 6;
inline constexpr int kKernelVectors = 2;
#endif

/// Whether products of operands E run on a matrix unit, whose kernel reads A in rows along k.
template <class E>
inline constexpr bool kOnUnit = false;
/// Rows and vectors of the micro-kernel for operands E.
template <class E>
inline constexpr int kRowsOf = kKernelRows;
template <class E>
inline constexpr int kVectorsOf = kKernelVectors;
/// Rows that are computed together at least: fewer take as long.
template <class E>
inline constexpr int kRowStep = kKernelRows;
#if EFLOW_MATRIX_UNIT
template <>
inline constexpr int kRowStep<Bf16Pair> = kUnit;
template <>
inline constexpr bool kOnUnit<Bf16Pair> = true;
template <>
inline constexpr int kRowsOf<Bf16Pair> = 2 * kUnit;
template <>
inline constexpr int kVectorsOf<Bf16Pair> = 2;
#endif

template <class V, class E>
EFLOW_FN V multiply_add(E a, V b, V sum) {
  return sum + splat<E>(a) * b;
}
#if defined(__AVX512BF16__)
EFLOW_FN Pack<float> multiply_add(Bf16Pair a, Pack<float> b, Pack<float> sum) {
  const Words pairs = a.bits - Words{};
#if defined(__clang__) && __clang_major__ < 16
  typedef i32 Halves __attribute__((vector_size(64)));
#elif defined(__clang__) || __GNUC__ >= 13
  typedef __bf16 Halves __attribute__((vector_size(64)));
#else
  typedef short Halves __attribute__((vector_size(64)));
#endif
  Halves x, y;
  __builtin_memcpy(&x, &pairs, sizeof x);
  __builtin_memcpy(&y, &b, sizeof y);
#if defined(__clang__)
  return __builtin_ia32_dpbf16ps_512(sum, x, y);
#else
  return __builtin_ia32_dpbf16ps_v16sf(sum, x, y);
#endif
}
#endif

/// Operands of one call. Strides count operands; rows of b and c are whole vectors.
template <class E>
struct KernelCall {
  Index k;  ///< operands along k
  const E* a;
  Index a_row, a_k;
  const E* b;
  Index b_k;
  Sum<E>* c;
  Index c_row;
  bool add;  ///< add to c instead of overwriting it
};

// Every loop over rows or vectors is unrolled explicitly: g++ 12's own unrolling happens too late
// and leaves the sums in memory.
template <class E, int kRows, int kVectors>
__attribute__((noinline)) void matrix_kernel(const KernelCall<E>& call) {
  using C = Sum<E>;
  using V = Pack<C>;
  V sum[kRows][kVectors];
  EFLOW_UNROLL for (int i = 0; i < kRows; ++i) {
    EFLOW_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = V{};
  }
  const E* a = call.a;
  const E* b = call.b;
  const Index a_row = call.a_row, a_k = call.a_k, b_k = call.b_k, c_row = call.c_row,
              steps = call.k;
  const bool add = call.add;
  C* c = call.c;
  const C* ahead = c;
  const auto step = [&]() __attribute__((always_inline)) {
    V bv[kVectors];
    EFLOW_UNROLL for (int j = 0; j < kVectors; ++j)
        __builtin_memcpy(&bv[j], b + j * kLanes<C>, sizeof(V));
    EFLOW_UNROLL for (int i = 0; i < kRows; ++i) {
      const E ai = a[i * a_row];
      EFLOW_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] =
          multiply_add(ai, bv[j], sum[i][j]);
    }
    a += a_k;
    b += b_k;
  };
  // C is rarely in the first-level cache. Prefetches one row of it per step during the first steps.
  const Index first = min_of<Index>(steps, kRows);
  for (Index k = 0; k < first; ++k) {
    EFLOW_UNROLL for (int j = 0; j < kVectors; ++j) __builtin_prefetch(ahead + j * kLanes<C>, 1);
    ahead += c_row;
    step();
  }
  for (Index k = first; k < steps; ++k) step();
  const auto finish = [&](auto keep) __attribute__((always_inline)) {
    EFLOW_UNROLL for (int i = 0; i < kRows; ++i) {
      EFLOW_UNROLL for (int j = 0; j < kVectors; ++j) {
        const V v = keep(c + j * kLanes<C>) + sum[i][j];
        __builtin_memcpy(c + j * kLanes<C>, &v, sizeof v);
      }
      c += c_row;
    }
  };
  if (!add) return finish([](const C*) { return V{}; });
  finish([](const C* from) {
    V old;
    __builtin_memcpy(&old, from, sizeof old);
    return old;
  });
}

}  // namespace EFLOW_TEXT

#include "eflow/kernels_src/tile/cpu/matrix_unit_kernel.h"

namespace EFLOW_TEXT {

/// Runs the kernel for kRows rows, at most kRowsOf<E>, and a panel of 1 to kVectorsOf<E> vectors. Rows
/// of A from `rows` on are 0 and may be left out.
template <int kRows, class E>
EFLOW_FN void run_kernel(int vectors, const KernelCall<E>& call, Index rows = kRows) {
  if constexpr (kOnUnit<E>) {
    run_unit_kernel(call, min_of<Index>(kRows, ceil_div(rows, kRowStep<E>) * kRowStep<E>), vectors);
  } else {
    if (vectors == kKernelVectors) return matrix_kernel<E, kRows, kKernelVectors>(call);
    if constexpr (kKernelVectors == 3) {
      if (vectors == 2) return matrix_kernel<E, kRows, 2>(call);
    }
    matrix_kernel<E, kRows, 1>(call);
  }
}

/// Splits columns into panels of at most kVectorsOf<E> vectors, as evenly as possible: for 3, 4
/// vectors become 2 + 2, not 3 + 1.
template <class E>
struct Panels {
  static constexpr Index kWidth = kLanes<Sum<E>>;
  Index vectors;
  Index count;

  EFLOW_FN explicit Panels(Index columns)
      : vectors(ceil_div(columns, kWidth)), count(ceil_div(vectors, kVectorsOf<E>)) {}
  EFLOW_FN Index begin(Index panel) const { return panel * vectors / count * kWidth; }
  EFLOW_FN int width(Index panel) const {
    return static_cast<int>((begin(panel + 1) - begin(panel)) / kWidth);
  }
};

}  // namespace EFLOW_TEXT

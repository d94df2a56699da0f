#pragma once
// y = f(x, ...) element by element; operands may be broadcast or strided. A block takes a range of
// elements, or several rows.

#include "eflow/kernels_src/args/elementwise.h"
#include "eflow/kernels_src/divisor.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::Elementwise;

template <int kFunction, class V>
EFLOW_FN V apply1(V x, const double* scalar) {
  using namespace eflow::args;
  using C = LaneOf<V>;
  if constexpr (kFunction == kExp)
    return exp(x);
  else if constexpr (kFunction == kLog)
    return log(x);
  else if constexpr (kFunction == kSqrt)
    return sqrt(x);
  else if constexpr (kFunction == kRsqrt)
    return C(1) / sqrt(x);
  else if constexpr (kFunction == kSquare)
    return x * x;
  else if constexpr (kFunction == kSigmoid)
    return sigmoid(x);
  else if constexpr (kFunction == kSilu)
    return x * sigmoid(x);
  else if constexpr (kFunction == kGelu)
    return gelu(x);
  else if constexpr (kFunction == kTanh)
    return tanh(x);
  else if constexpr (kFunction == kRelu)
    return max_pack(x, V{});
  else if constexpr (kFunction == kSin)
    return sin(x);
  else if constexpr (kFunction == kCos)
    return cos(x);
  else if constexpr (kFunction == kAffine)
    return C(scalar[0]) * x + C(scalar[1]);
  else if constexpr (kFunction == kReciprocal)
    return C(1) / x;
  else if constexpr (kFunction == kClampMin)
    return max_pack(x, V{} + C(scalar[0]));
  else if constexpr (kFunction == kPower)
    return exp(C(scalar[1]) * log(x + C(scalar[0])));
  else
    return x;
}

template <int kFunction, class V>
EFLOW_FN V apply2(V x, V z, const double* scalar) {
  using namespace eflow::args;
  using C = LaneOf<V>;
  const C one = 1;
  if constexpr (kFunction == kAdd)
    return x + z;
  else if constexpr (kFunction == kSub)
    return x - z;
  else if constexpr (kFunction == kMul)
    return x * z;
  else if constexpr (kFunction == kDiv)
    return x / z;
  else if constexpr (kFunction == kMaximum)
    return max_pack(x, z);
  else if constexpr (kFunction == kExpGrad)
    return x * z;
  else if constexpr (kFunction == kLogGrad)
    return z / x;
  else if constexpr (kFunction == kSqrtGrad)
    return C(0.5) * z / x;
  else if constexpr (kFunction == kRsqrtGrad)
    return C(-0.5) * z * x * x * x;
  else if constexpr (kFunction == kSquareGrad)
    return C(2) * x * z;
  else if constexpr (kFunction == kSigmoidGrad)
    return z * x * (one - x);
  else if constexpr (kFunction == kSiluGrad) {
    const V s = sigmoid(x);
    return z * s * (one + x * (one - s));
  } else if constexpr (kFunction == kGeluGrad)
    return gelu_grad(x, z);
  else if constexpr (kFunction == kTanhGrad)
    return z * (one - x * x);
  else if constexpr (kFunction == kReluGrad)
    return x > V{} ? z : V{};
  else if constexpr (kFunction == kSinGrad)
    return z * cos(x);
  else if constexpr (kFunction == kCosGrad)
    return -z * sin(x);
  else if constexpr (kFunction == kReciprocalGrad)
    return -z * x * x;
  else if constexpr (kFunction == kPowerGrad)
    return C(scalar[1]) * exp(C(scalar[1] - 1) * log(x + C(scalar[0]))) * z;
  else
    return x > V{} + C(scalar[0]) ? z : V{};  // kClampMinGrad
}

template <int kFunction, class V>
EFLOW_FN V apply3(V a, V b, V c, const double* scalar) {
  using namespace eflow::args;
  if constexpr (kFunction == kMulAdd)
    return a * b + c;
  else if constexpr (kFunction == kMaximumGrad)
    return a >= b ? c : V{};
  else if constexpr (kFunction == kScaledDifference)
    return LaneOf<V>(scalar[0]) * (a - b) * c;
  else
    return -c * a / (b * b);  // kDivGrad
}

/// Operand count of a function, from the order of the enumerators in args/elementwise.h.
template <int kFunction>
inline constexpr int kOperandCount =
    kFunction >= eflow::args::kMulAdd || kFunction == eflow::args::kMaximumGrad ? 3
    : kFunction >= eflow::args::kAdd                                            ? 2
                                                                                : 1;

/// One row: its position in the outer dimensions, and the addresses of its first element in y and in
/// each operand.
template <class T, class S, int kCount>
struct ElementwiseRow {
  Index at[eflow::args::kMaxOuter];
  T* y;
  const S* x[kCount];

  EFLOW_FN ElementwiseRow(const Elementwise& a, Index row) {
    y = static_cast<T*>(a.y);
    EFLOW_UNROLL
    for (int n = 0; n < kCount; ++n) x[n] = static_cast<const S*>(a.x[n]);
    // A GPU reads arguments at constant offsets much faster than at others.
    EFLOW_UNROLL
    for (int d = eflow::args::kMaxOuter - 1; d >= 0; --d) {
      if (d >= a.outer_rank) continue;
      const Division parts = d == 0 ? Division{0, row} : divide(row, a.outer_size[d]);
      at[d] = parts.remainder;
      move(a, d, parts.remainder);
      row = parts.quotient;
    }
  }
  /// Only the CPU calls this: a GPU keeps no `at`.
  EFLOW_FN void next(const Elementwise& a) {
    for (int d = a.outer_rank - 1; d >= 0; --d) {
      move(a, d, 1);
      if (++at[d] < a.outer_size[d].size) return;
      move(a, d, -at[d]);
      at[d] = 0;
    }
  }

 private:
  EFLOW_FN void move(const Elementwise& a, int d, Index steps) {
    y += steps * a.outer_stride[eflow::args::kMaxOperands][d];
    EFLOW_UNROLL
    for (int n = 0; n < kCount; ++n) x[n] += steps * a.outer_stride[n][d];
  }
};

/// The function applied to the operands of element i.
template <int kFunction, bool kDense, class Row, class L>
EFLOW_FN auto elementwise_value(const Elementwise& a, const Row& row, L i) {
  using C = Compute<Bare<decltype(*row.x[0])>>;
  constexpr int kCount = kOperandCount<kFunction>;
  const auto operand = [&](int n) {
    if constexpr (kDense)
      return load<C>(row.x[n], i);
    else
      return load_strided<C>(row.x[n], i, a.inner_stride[n]);
  };
  if constexpr (kCount == 1) {
    return mapped([&](auto x) { return apply1<kFunction>(x, a.scalar); }, operand(0));
  } else if constexpr (kCount == 2) {
    return mapped([&](auto x, auto z) { return apply2<kFunction>(x, z, a.scalar); }, operand(0),
                  operand(1));
  } else {
    return mapped([&](auto x, auto z, auto w) { return apply3<kFunction>(x, z, w, a.scalar); },
                  operand(0), operand(1), operand(2));
  }
}

template <bool kDense, class Row, class L, class V>
EFLOW_FN void elementwise_store(const Elementwise& a, const Row& row, L i, V value) {
  if constexpr (kDense)
    store(row.y, i, value);
  else
    store_strided(row.y, i, value, a.inner_stride[eflow::args::kMaxOperands]);
}

/// The rows of a block, or its slice of the only row, by runs of kRun elements.
template <class T, class S, int kFunction, bool kDense, int kRun>
EFLOW_FN void elementwise_rows(const Block& block, const Elementwise& a) {
  using C = Compute<S>;
  using Row = ElementwiseRow<T, S, kOperandCount<kFunction>>;
  const auto value = [&](const Row& row, auto i) {
    return elementwise_value<kFunction, kDense>(a, row, i);
  };
  const auto put = [&](const Row& row, auto i, auto v) { elementwise_store<kDense>(a, row, i, v); };
  const bool aligned = a.run == kRun;
  if (a.outer == 1) {
    const Row row(a, 0);
    const Index begin = block.x * a.elements_per_block;
    each_run<C, kRun>(
        begin, min_of(begin + a.elements_per_block, a.inner), aligned,
        [&](auto i) { return value(row, i); }, [&](auto i, auto v) { put(row, i, v); });
  } else {
    const Index first = block.x * a.rows_per_block;
    each_cell_run<C, kRun>(
        first, min_of(first + a.rows_per_block, a.outer), a.inner, aligned,
        [&](Index r) { return Row(a, r); }, [&](Row& row) { row.next(a); }, value, put);
  }
}

/// T is the stored type of y, S that of the operands. They differ only for kCopy, which converts.
template <class T, class S, int kFunction>
void elementwise(const Block& block, const Elementwise& a) {
  constexpr int kRun = kRunOf<T, S>;
#if defined(EFLOW_GPU)
  // Permutations of pairs copy those.
  if constexpr (kFunction == eflow::args::kCopy && kRun > 2 && sizeof(T) > 1 && sizeof(S) > 1) {
    if (a.run == 2) return elementwise_rows<T, S, kFunction, false, 2>(block, a);
  }
  elementwise_rows<T, S, kFunction, false, kRun>(block, a);
#else
  // Contiguous operands are loaded much faster than strided ones.
  bool dense = a.inner_stride[eflow::args::kMaxOperands] == 1;
  for (int n = 0; n < kOperandCount<kFunction>; ++n) dense = dense && a.inner_stride[n] == 1;
  if (dense)
    elementwise_rows<T, S, kFunction, true, kRun>(block, a);
  else
    elementwise_rows<T, S, kFunction, false, kRun>(block, a);
#endif
}

}  // namespace EFLOW_TEXT

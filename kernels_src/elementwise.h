#pragma once
// y = f(x, ...) element by element; operands may be broadcast or strided. A block takes a range of
// elements, or several rows.

#include "eflow/kernels_src/args/elementwise.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Elementwise;

template <int kFunction, class V>
EFLOW_FN V apply1(V x, const double* scalar) {
  using namespace eflow::args;
  using C = LaneOf<V>;
  if constexpr (kFunction == kNeg)
    return -x;
  else if constexpr (kFunction == kExp)
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

/// Position of a row in the outer dimensions. Its loops have constant bounds so that a GPU keeps
/// `at` in registers.
struct OuterIndex {
  static constexpr int kMost = eflow::args::kMaxOuter;
  Index at[kMost];

  EFLOW_FN OuterIndex(const Elementwise& a, Index row) {
    for (int d = kMost - 1; d >= 0; --d) {
      at[d] = 0;
      if (d >= a.outer_rank) continue;
      const Division parts = divide(row, a.outer_size[d]);
      at[d] = parts.remainder;
      row = parts.quotient;
    }
  }
  EFLOW_FN void next(const Elementwise& a) {
    bool carry = true;
    for (int d = kMost - 1; d >= 0; --d) {
      if (d >= a.outer_rank || !carry) continue;
      carry = ++at[d] == a.outer_size[d];
      if (carry) at[d] = 0;
    }
  }
  /// Offset of the row in operand n, or in y if n is kMaxOperands.
  EFLOW_FN Index offset(const Elementwise& a, int n) const {
    Index sum = 0;
    for (int d = 0; d < kMost; ++d) {
      if (d < a.outer_rank) sum += at[d] * a.outer_stride[n][d];
    }
    return sum;
  }
};

/// One row: the addresses of its first element in y and in each operand.
template <class T, class S, int kCount>
struct ElementwiseRow {
  OuterIndex at;
  T* y;
  const S* x[kCount];

  EFLOW_FN ElementwiseRow(const Elementwise& a, Index row) : at(a, row) { find(a); }
  EFLOW_FN void next(const Elementwise& a) {
    at.next(a);
    find(a);
  }

 private:
  EFLOW_FN void find(const Elementwise& a) {
    y = static_cast<T*>(a.y) + at.offset(a, eflow::args::kMaxOperands);
    for (int n = 0; n < kCount; ++n) x[n] = static_cast<const S*>(a.x[n]) + at.offset(a, n);
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
  if constexpr (kCount == 1)
    return apply1<kFunction>(operand(0), a.scalar);
  else if constexpr (kCount == 2)
    return apply2<kFunction>(operand(0), operand(1), a.scalar);
  else
    return apply3<kFunction>(operand(0), operand(1), operand(2), a.scalar);
}

template <bool kDense, class Row, class L, class V>
EFLOW_FN void elementwise_store(const Elementwise& a, const Row& row, L i, V value) {
  if constexpr (kDense)
    store(row.y, i, value);
  else
    store_strided(row.y, i, value, a.inner_stride[eflow::args::kMaxOperands]);
}

/// The rows of a block, or its slice of the only row.
template <class T, class S, int kFunction, bool kDense>
EFLOW_FN void elementwise_rows(const Block& block, const Elementwise& a) {
  using Row = ElementwiseRow<T, S, kOperandCount<kFunction>>;
  const bool flat = a.outer == 1;
  const Index first = flat ? 0 : block.x * a.rows_per_block;
  const Index last = flat ? 1 : min_of(first + a.rows_per_block, a.outer);
  const Index begin = flat ? block.x * a.elements_per_block : 0;
  const Index end = flat ? min_of(begin + a.elements_per_block, a.inner) : a.inner;
  each_cell<Compute<S>>(
      first, last, begin, end, [&](Index r) { return Row(a, r); }, [&](Row& row) { row.next(a); },
      [&](const Row& row, auto i) {
        elementwise_store<kDense>(a, row, i, elementwise_value<kFunction, kDense>(a, row, i));
      });
}

/// T is the stored type of y, S that of the operands. They differ only for kCopy, which converts.
template <class T, class S, int kFunction>
void elementwise(const Block& block, const Elementwise& a) {
  using C = Compute<S>;
  constexpr int kCount = kOperandCount<kFunction>;
  bool dense = a.inner_stride[eflow::args::kMaxOperands] == 1;
  for (int n = 0; n < kCount; ++n) dense = dense && a.inner_stride[n] == 1;
  if constexpr (kLanes < C >> 1) {
    // With vectors, contiguous operands are loaded much faster than strided ones.
    if (dense)
      elementwise_rows<T, S, kFunction, true>(block, a);
    else
      elementwise_rows<T, S, kFunction, false>(block, a);
  } else if (dense && a.outer == 1) {
    const ElementwiseRow<T, S, kCount> row(a, 0);
    const Index begin = block.x * a.elements_per_block;
    each_value<C>(
        begin, min_of(begin + a.elements_per_block, a.inner),
        [&](auto i) { return elementwise_value<kFunction, true>(a, row, i); },
        [&](auto i, auto value) { elementwise_store<true>(a, row, i, value); });
  } else {
    elementwise_rows<T, S, kFunction, false>(block, a);
  }
}

}  // namespace EFLOW_TEXT

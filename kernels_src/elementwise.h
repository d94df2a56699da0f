#pragma once
// y = f(x, ...) element by element; operands may be broadcast or strided. A block takes a range of
// elements, or several rows.

#include "args/elementwise.h"
#include "tile/pack.h"

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
  else
    return x > V{} + C(scalar[0]) ? z : V{};  // kClampMinGrad
}

template <int kFunction, class V>
EFLOW_FN V apply3(V a, V b, V c) {
  using namespace eflow::args;
  if constexpr (kFunction == kMulAdd)
    return a * b + c;
  else if constexpr (kFunction == kMaximumGrad)
    return a >= b ? c : V{};
  else
    return -c * a / (b * b);  // kDivGrad
}

/// Operand count of a function, from the order of the enumerators in args/elementwise.h.
template <int kFunction>
inline constexpr int kOperandCount =
    kFunction >= eflow::args::kMulAdd || kFunction == eflow::args::kMaximumGrad ? 3
    : kFunction >= eflow::args::kAdd                                            ? 2
                                                                                : 1;

/// Elements [begin, end) of one row. kDense: y and all operands are contiguous.
template <class T, class S, int kFunction, bool kDense>
EFLOW_FN void elementwise_row(const Elementwise& a, T* y, const S* const* x, Index begin,
                              Index end) {
  using C = Compute<S>;
  constexpr int kCount = kOperandCount<kFunction>;
  each<C>(begin, end, [&](auto i) {
    const auto operand = [&](int n) {
      if constexpr (kDense)
        return load<C>(x[n], i);
      else
        return load_strided<C>(x[n], i, a.inner_stride[n]);
    };
    const auto put = [&](auto value) {
      if constexpr (kDense)
        store(y, i, value);
      else
        store_strided(y, i, value, a.inner_stride[eflow::args::kMaxOperands]);
    };
    if constexpr (kCount == 1)
      put(apply1<kFunction>(operand(0), a.scalar));
    else if constexpr (kCount == 2)
      put(apply2<kFunction>(operand(0), operand(1), a.scalar));
    else
      put(apply3<kFunction>(operand(0), operand(1), operand(2)));
  });
}

/// Position of a row in the outer dimensions; gives the offset of the row in y and in each operand.
struct OuterIndex {
  Index at[eflow::args::kMaxOuter];

  EFLOW_FN OuterIndex(const Elementwise& a, Index row) {
    for (int d = a.outer_rank - 1; d >= 0; --d) {
      at[d] = row % a.outer_size[d];
      row /= a.outer_size[d];
    }
  }
  EFLOW_FN void next(const Elementwise& a) {
    for (int d = a.outer_rank - 1; d >= 0 && ++at[d] == a.outer_size[d]; --d) at[d] = 0;
  }
  EFLOW_FN Index offset(const Elementwise& a, int n) const {
    Index sum = 0;
    for (int d = 0; d < a.outer_rank; ++d) sum += at[d] * a.outer_stride[n][d];
    return sum;
  }
};

/// T is the stored type of y, S that of the operands. They differ only for kCopy, which converts.
template <class T, class S, int kFunction>
void elementwise(const Block& block, const Elementwise& a) {
  constexpr int kCount = kOperandCount<kFunction>;
  constexpr int kY = eflow::args::kMaxOperands;
  bool dense = a.inner_stride[kY] == 1;
  for (int n = 0; n < kCount; ++n) dense = dense && a.inner_stride[n] == 1;
  const bool flat = a.outer == 1;
  const Index first_row = flat ? 0 : block.x * a.rows_per_block;
  const Index last_row = flat ? 1 : min_of(first_row + a.rows_per_block, a.outer);
  const Index begin = flat ? block.x * a.elements_per_block : 0;
  const Index end = flat ? min_of(begin + a.elements_per_block, a.inner) : a.inner;
  OuterIndex at(a, first_row);
  for (Index row = first_row; row < last_row; ++row, at.next(a)) {
    T* const y = static_cast<T*>(a.y) + at.offset(a, kY);
    const S* x[kCount];
    for (int n = 0; n < kCount; ++n) x[n] = static_cast<const S*>(a.x[n]) + at.offset(a, n);
    if (dense)
      elementwise_row<T, S, kFunction, true>(a, y, x, begin, end);
    else
      elementwise_row<T, S, kFunction, false>(a, y, x, begin, end);
  }
}

}  // namespace EFLOW_TEXT

#pragma once
// Arguments of elementwise.h. Sizes and strides are counted in elements.

#include "eflow/kernels_src/args/divisor.h"

namespace eflow::args {

inline constexpr int kMaxOperands = 4;
inline constexpr int kMaxOuter = 7;

/// y[o, i] = f(x0[o, i], x1[o, i], ...) for `outer` rows of `inner` elements. A row of y or of an
/// operand begins at the sum of outer index times outer stride; within a row, elements are
/// inner_stride apart (operands: 0 = one value per row). Strides of operand n are at [n], those of
/// y at [kMaxOperands].
struct Elementwise {
  void* y;
  const void* x[kMaxOperands];
  double scalar[2];  ///< constants of the function, e.g. of kAffine
  long long inner;
  long long outer;
  Divisor outer_size[kMaxOuter];  ///< outermost first; their product is `outer`
  long long outer_stride[kMaxOperands + 1][kMaxOuter];
  long long inner_stride[kMaxOperands + 1];
  long long rows_per_block;      ///< rows per block, used if outer > 1
  long long elements_per_block;  ///< elements per block, used if outer == 1
  int outer_rank;
  int operands;
  /// How many elements a GPU's thread may read and write at once: rows of y, and those of operands but
  /// for broadcast ones, consist of so many adjacent elements at aligned addresses.
  int run;
};

/// The function that elementwise.h computes: the first constant of its KernelSpec. elementwise.h derives
/// the operand count from the order of the groups, except for kMaximumGrad.
enum Function : int {
  // one operand x
  kCopy,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kSquare,
  kSigmoid,
  kSilu,
  kGelu,
  kTanh,
  kRelu,
  kSin,
  kCos,
  kAffine,  // scalar[0] x + scalar[1]
  kReciprocal,
  kClampMin,  // max(x, scalar[0])
  kPower,     // (x + scalar[0])^scalar[1]
  // two operands x, z
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,
  // derivatives: operand (x unless y is noted), dy
  kExpGrad,  // y, dy
  kLogGrad,
  kSqrtGrad /* y, dy */,
  kRsqrtGrad /* y, dy */,
  kSquareGrad,
  kSigmoidGrad /* y, dy */,
  kSiluGrad,
  kGeluGrad,
  kTanhGrad /* y, dy */,
  kReluGrad,
  kSinGrad,
  kCosGrad,
  kReciprocalGrad /* y, dy */,
  kClampMinGrad,
  kPowerGrad,
  kMaximumGrad /* x, z, dy: dy where x >= z */,
  // three operands
  kMulAdd,            // a b + c
  kDivGrad,           // x, z, dy: -dy x / z^2
  kScaledDifference,  // a, b, c: scalar[0] (a - b) c
  kFunctionCount
};

}  // namespace eflow::args

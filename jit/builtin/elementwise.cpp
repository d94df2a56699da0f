// Built-in specialisations of elementwise.h. KernelSpec("elementwise", {dtype of operands, dtype of y},
// {function}).

#include "eflow/kernels_src/elementwise.h"

#include "eflow/jit/builtin/entry.h"

// clang-format off
#define EFLOW_FUNCTIONS(X)                                                                        \
  X(kExp) X(kLog) X(kSqrt) X(kRsqrt) X(kSquare) X(kSigmoid) X(kSilu) X(kGelu) X(kTanh)            \
  X(kRelu) X(kSin) X(kCos) X(kAffine) X(kReciprocal) X(kClampMin) X(kPower) X(kAdd) X(kSub) X(kMul) X(kDiv) \
  X(kMaximum) X(kExpGrad) X(kLogGrad) X(kSqrtGrad) X(kRsqrtGrad) X(kSquareGrad) X(kSigmoidGrad)   \
  X(kSiluGrad) X(kGeluGrad) X(kTanhGrad) X(kReluGrad) X(kSinGrad) X(kCosGrad) X(kReciprocalGrad)  \
  X(kClampMinGrad) X(kPowerGrad) X(kMaximumGrad) X(kMulAdd) X(kDivGrad) X(kScaledDifference)
// clang-format on

#define EFLOW_ONE(T, f)                                                        \
  EFLOW_ENTRY("elementwise", ({kDTypeOf<T>, kDTypeOf<T>}), ({eflow::args::f}), \
              elementwise<T, T, eflow::args::f>),
#define EFLOW_ROW(f) EFLOW_ONE(float, f) EFLOW_ONE(double, f) EFLOW_ONE(bf16, f)
#define EFLOW_COPY(S, T)                                                           \
  EFLOW_ENTRY("elementwise", ({kDTypeOf<S>, kDTypeOf<T>}), ({eflow::args::kCopy}), \
              elementwise<T, S, eflow::args::kCopy>),

namespace EFLOW_TEXT {
namespace {

// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_FUNCTIONS(EFLOW_ROW)
    EFLOW_COPY(float, float) EFLOW_COPY(float, double) EFLOW_COPY(float, bf16)
    EFLOW_COPY(double, double) EFLOW_COPY(double, float) EFLOW_COPY(double, bf16)
    EFLOW_COPY(bf16, bf16) EFLOW_COPY(bf16, float) EFLOW_COPY(bf16, double)
    EFLOW_COPY(i32, i32) EFLOW_COPY(i64, i64) EFLOW_COPY(u8, u8)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable elementwise_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

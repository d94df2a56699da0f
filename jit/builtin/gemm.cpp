// Built-in specialisations of gemm.h. Spec("gemm", {dtype of a and b, dtype of c}).

#include "gemm.h"

#include "builtin/entry.h"

#define EFLOW_GEMM(T, Y) EFLOW_ENTRY("gemm", ({kDTypeOf<T>, kDTypeOf<Y>}), ({}), gemm<T, Y>)

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {EFLOW_GEMM(float, float),
                                                 EFLOW_GEMM(double, double), EFLOW_GEMM(bf16, bf16),
                                                 EFLOW_GEMM(bf16, float)};

}  // namespace

eflow::jit::BuiltinTable gemm_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

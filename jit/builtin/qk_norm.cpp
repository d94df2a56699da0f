// Built-in specialisations of qk_norm.h. KernelSpec("qk_norm" | "qk_norm_grad", {dtype of x, dtype of
// the weights, dtype of the tables}).

#include "eflow/kernels_src/qk_norm.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_QK_NORM(T, W, S)                                                               \
  EFLOW_ENTRY("qk_norm", ({kDTypeOf<T>, kDTypeOf<W>, kDTypeOf<S>}), ({}), qk_norm<T, W, S>), \
      EFLOW_ENTRY("qk_norm_grad", ({kDTypeOf<T>, kDTypeOf<W>, kDTypeOf<S>}), ({}),           \
                  qk_norm_grad<T, W, S>),

namespace EFLOW_TEXT {
namespace {

// The last one is for mixed precision: a bf16 branch with f32 weights and tables.
// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_QK_NORM(float, float, float) EFLOW_QK_NORM(double, double, double)
    EFLOW_QK_NORM(bf16, bf16, bf16) EFLOW_QK_NORM(bf16, float, float)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable qk_norm_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

// Built-in specialisations of norm.h. KernelSpec("norm" | "norm_grad", {dtype of x, dtype of y, dtype of
// factor and offset}, {1 if rows are centred}).

#include "eflow/kernels_src/norm.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_NORM(T, O, F, centred)                                                   \
  EFLOW_ENTRY("norm", ({kDTypeOf<T>, kDTypeOf<O>, kDTypeOf<F>}), ({centred}),          \
              norm<T, O, F, centred>),                                                 \
      EFLOW_ENTRY("norm_grad", ({kDTypeOf<T>, kDTypeOf<O>, kDTypeOf<F>}), ({centred}), \
                  norm_grad<T, O, F, centred>),
#define EFLOW_NORMS(T) EFLOW_NORM(T, T, T, 0) EFLOW_NORM(T, T, T, 1)

namespace EFLOW_TEXT {
namespace {

// The last two are for mixed precision: from the f32 residual stream, and within a bf16 branch with
// f32 weights.
// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_NORMS(float) EFLOW_NORMS(double) EFLOW_NORMS(bf16)
    EFLOW_NORM(float, bf16, float, 1) EFLOW_NORM(bf16, bf16, float, 0)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable norm_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

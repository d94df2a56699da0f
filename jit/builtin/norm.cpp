// Built-in specialisations of norm.h. Spec("norm" or "norm_grad", {dtype of x, of y, of factor and offset}, {1 when rows are
// centred}).

#include "norm.h"

#include "builtin/entry.h"

#define EFLOW_NORM(T, O, F, centred)                                                        \
  EFLOW_ENTRY("norm", ({kDTypeOf<T>, kDTypeOf<O>, kDTypeOf<F>}), ({centred}),               \
              norm<T, O, F, centred>),                                                      \
      EFLOW_ENTRY("norm_grad", ({kDTypeOf<T>, kDTypeOf<O>, kDTypeOf<F>}), ({centred}),      \
                  norm_grad<T, O, F, centred>),
#define EFLOW_NORMS(T) EFLOW_NORM(T, T, T, 0) EFLOW_NORM(T, T, T, 1)

namespace EFLOW_TEXT {
namespace {

// The last two are those of mixed precision: out of the f32 stream, and within a branch with weights of f32.
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_NORMS(float) EFLOW_NORMS(double) EFLOW_NORMS(bf16)
    EFLOW_NORM(float, bf16, float, 1) EFLOW_NORM(bf16, bf16, float, 0)};

}  // namespace

eflow::jit::BuiltinTable norm_table() { return {kEntries, sizeof kEntries / sizeof kEntries[0]}; }

}  // namespace EFLOW_TEXT

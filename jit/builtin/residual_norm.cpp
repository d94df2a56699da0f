// Built-in specialisations of residual_norm.h. KernelSpec("residual_norm" | "residual_norm_grad",
// {dtype of the stream, dtype of the norm}).

#include "eflow/kernels_src/residual_norm.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_RESIDUAL_NORM(T, O)                                                        \
  EFLOW_ENTRY("residual_norm", ({kDTypeOf<T>, kDTypeOf<O>}), ({}), residual_norm<T, O>), \
      EFLOW_ENTRY("residual_norm_grad", ({kDTypeOf<T>, kDTypeOf<O>}), ({}),              \
                  residual_norm_grad<T, O>),

namespace EFLOW_TEXT {
namespace {

// The last one is for mixed precision: the norm of the f32 residual stream in bf16.
// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_RESIDUAL_NORM(float, float) EFLOW_RESIDUAL_NORM(double, double)
    EFLOW_RESIDUAL_NORM(bf16, bf16) EFLOW_RESIDUAL_NORM(float, bf16)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable residual_norm_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

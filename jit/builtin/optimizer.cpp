// Built-in specialisations of optimizer.h:
//   KernelSpec("adamw" | "adamw_list", {dtype of p, m and v, dtype of the gradient})
//   KernelSpec("lerp", {dtype of the average, dtype of the value})
//   KernelSpec("sum_of_squares" | "squares_list", {dtype})

#include "eflow/kernels_src/optimizer.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_STEPS(T, G)                                                              \
  EFLOW_ENTRY("adamw", ({kDTypeOf<T>, kDTypeOf<G>}), ({}), adamw<T, G>),               \
      EFLOW_ENTRY("adamw_list", ({kDTypeOf<T>, kDTypeOf<G>}), ({}), adamw_list<T, G>), \
      EFLOW_ENTRY("lerp", ({kDTypeOf<T>, kDTypeOf<G>}), ({}), lerp<T, G>),

namespace EFLOW_TEXT {
namespace {

// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_STEPS(float, float) EFLOW_STEPS(float, bf16) EFLOW_STEPS(double, double)
    EFLOW_ENTRY_FLOATS("sum_of_squares", ({}), sum_of_squares),
    EFLOW_ENTRY_FLOATS("squares_list", ({}), squares_list)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable optimizer_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

// Built-in specialisations of rope.h. KernelSpec("rope", {dtype of x, dtype of the tables}).

#include "eflow/kernels_src/rope.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_ROPE(T, S) EFLOW_ENTRY("rope", ({kDTypeOf<T>, kDTypeOf<S>}), ({}), rope<T, S>),

namespace EFLOW_TEXT {
namespace {

// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ROPE(float, float) EFLOW_ROPE(double, double)
    EFLOW_ROPE(bf16, bf16) EFLOW_ROPE(bf16, float)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable rope_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

// Built-in specialisations of reduce.h. KernelSpec("reduce", {dtype of x, dtype of y}, {ReduceTerms}).

#include "eflow/kernels_src/reduce.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_SUMS(T, Y)                                                           \
  EFLOW_ENTRY("reduce", ({kDTypeOf<T>, kDTypeOf<Y>}), ({0}), reduce<T, Y, 0>),     \
      EFLOW_ENTRY("reduce", ({kDTypeOf<T>, kDTypeOf<Y>}), ({1}), reduce<T, Y, 1>), \
      EFLOW_ENTRY("reduce", ({kDTypeOf<T>, kDTypeOf<Y>}), ({2}), reduce<T, Y, 2>),

namespace EFLOW_TEXT {
namespace {

// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_SUMS(float, float) EFLOW_SUMS(double, double)
    EFLOW_SUMS(bf16, bf16) EFLOW_SUMS(bf16, float)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable reduce_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

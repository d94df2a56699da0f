// Built-in specialisations of concat.h. KernelSpec("concat", {dtype}).

#include "eflow/kernels_src/concat.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_CONCAT(T) EFLOW_ENTRY("concat", ({kDTypeOf<T>}), ({}), concat<T>),

namespace EFLOW_TEXT {
namespace {

// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_CONCAT(float) EFLOW_CONCAT(double) EFLOW_CONCAT(bf16)
    EFLOW_CONCAT(i32) EFLOW_CONCAT(i64) EFLOW_CONCAT(u8)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable concat_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

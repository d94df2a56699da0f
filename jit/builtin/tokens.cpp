// Built-in specialisations of tokens.h. KernelSpec("select_rows" | "sum_unselected", {dtype}).

#include "eflow/kernels_src/tokens.h"

#include "eflow/jit/builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY_FLOATS("select_rows", ({}), select_rows),
    EFLOW_ENTRY_FLOATS("sum_unselected", ({}), sum_unselected)};

}  // namespace

eflow::jit::BuiltinTable tokens_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

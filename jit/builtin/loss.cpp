// Built-in specialisations of loss.h. KernelSpec("cross_entropy" | "cross_entropy_grad", {dtype}).

#include "eflow/kernels_src/loss.h"

#include "eflow/jit/builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY_FLOATS("cross_entropy", ({}), cross_entropy),
    EFLOW_ENTRY_FLOATS("cross_entropy_grad", ({}), cross_entropy_grad)};

}  // namespace

eflow::jit::BuiltinTable loss_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

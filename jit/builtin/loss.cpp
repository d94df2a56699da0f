// Built-in specialisations of loss.h. Spec("cross_entropy" | "cross_entropy_grad", {dtype}).

#include "loss.h"

#include "builtin/entry.h"

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

// Built-in specialisations of softmax.h. KernelSpec("softmax" | "softmax_grad", {dtype}).

#include "eflow/kernels_src/softmax.h"

#include "eflow/jit/builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY_FLOATS("softmax", ({}), softmax),
    EFLOW_ENTRY_FLOATS("softmax_grad", ({}), softmax_grad)};

}  // namespace

eflow::jit::BuiltinTable softmax_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

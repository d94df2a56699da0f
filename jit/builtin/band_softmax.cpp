// Built-in specialisations of band_softmax.h. KernelSpec("band_softmax" | "band_softmax_grad", {dtype of
// scores}).

#include "eflow/kernels_src/band_softmax.h"

#include "eflow/jit/builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY_FLOATS("band_softmax", ({}), band_softmax),
    EFLOW_ENTRY_FLOATS("band_softmax_grad", ({}), band_softmax_grad)};

}  // namespace

eflow::jit::BuiltinTable band_softmax_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

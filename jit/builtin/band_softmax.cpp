// Built-in specialisations of band_softmax.h. Spec("band_softmax" | "band_softmax_grad", {dtype of
// scores}).

#include "band_softmax.h"

#include "builtin/entry.h"

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

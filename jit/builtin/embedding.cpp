// Built-in specialisations of embedding.h. Spec("embedding_grad", {dtype}).

#include "embedding.h"

#include "builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY_FLOATS("embedding_grad", ({}), embedding_grad)};

}  // namespace

eflow::jit::BuiltinTable embedding_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

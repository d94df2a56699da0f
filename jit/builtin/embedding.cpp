// Built-in specialisations of embedding.h. KernelSpec("embedding_grad", {dtype}).

#include "eflow/kernels_src/embedding.h"

#include "eflow/jit/builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY_FLOATS("embedding_grad", ({}), embedding_grad)};

}  // namespace

eflow::jit::BuiltinTable embedding_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

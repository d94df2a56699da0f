// Built-in specialisations of permute.h. KernelSpec("permute", {dtype}).

#include "eflow/kernels_src/permute.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_PERMUTE(T) EFLOW_ENTRY("permute", ({kDTypeOf<T>}), ({}), permute<T>),

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {EFLOW_PERMUTE(float) EFLOW_PERMUTE(bf16)};

}  // namespace

eflow::jit::BuiltinTable permute_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

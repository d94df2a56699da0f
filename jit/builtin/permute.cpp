// Built-in specialisations of permute.h. KernelSpec("permute", {dtype}, {lengths of by_x, by_y}).

#include "eflow/kernels_src/permute.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_PERMUTE(T, x, y) EFLOW_ENTRY("permute", ({kDTypeOf<T>}), ({x, y}), permute<T, x, y>),
#define EFLOW_RANKS(T, y) \
  EFLOW_PERMUTE(T, 2, y)  \
  EFLOW_PERMUTE(T, 3, y) EFLOW_PERMUTE(T, 4, y) EFLOW_PERMUTE(T, 5, y) EFLOW_PERMUTE(T, 6, y)
#define EFLOW_PERMUTES(T) EFLOW_RANKS(T, 1) EFLOW_RANKS(T, 2) EFLOW_RANKS(T, 3)

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {EFLOW_PERMUTES(float) EFLOW_PERMUTES(bf16)};

}  // namespace

eflow::jit::BuiltinTable permute_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

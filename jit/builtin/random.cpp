// Built-in specialisations of random.h. KernelSpec("random", {dtype}, {0 uniform | 1 normal}).

#include "eflow/kernels_src/random.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_RANDOM(T)                                            \
  EFLOW_ENTRY("random", ({kDTypeOf<T>}), ({0}), random<T, false>), \
      EFLOW_ENTRY("random", ({kDTypeOf<T>}), ({1}), random<T, true>),

namespace EFLOW_TEXT {
namespace {

// clang-format off
constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_RANDOM(float) EFLOW_RANDOM(double) EFLOW_RANDOM(bf16)};
// clang-format on

}  // namespace

eflow::jit::BuiltinTable random_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

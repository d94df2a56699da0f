// Built-in specialisation of window_ranges.h. KernelSpec("window_ranges", {}).

#include "eflow/kernels_src/window_ranges.h"

#include "eflow/jit/builtin/entry.h"

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_ENTRY("window_ranges", ({}), ({}), window_ranges)};

}  // namespace

eflow::jit::BuiltinTable window_ranges_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT

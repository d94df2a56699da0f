// Built-in specialisations of norm.h. Spec("norm" or "norm_grad", {dtype}, {1 when rows are centred}).

#include "norm.h"

#include "builtin/entry.h"

#define EFLOW_NORMS(T)                                                               \
  EFLOW_ENTRY("norm", ({kDTypeOf<T>}), ({0}), norm<T, false>),                       \
      EFLOW_ENTRY("norm", ({kDTypeOf<T>}), ({1}), norm<T, true>),                    \
      EFLOW_ENTRY("norm_grad", ({kDTypeOf<T>}), ({0}), norm_grad<T, false>),         \
      EFLOW_ENTRY("norm_grad", ({kDTypeOf<T>}), ({1}), norm_grad<T, true>),

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {EFLOW_NORMS(float) EFLOW_NORMS(double) EFLOW_NORMS(bf16)};

}  // namespace

eflow::jit::BuiltinTable norm_table() { return {kEntries, sizeof kEntries / sizeof kEntries[0]}; }

}  // namespace EFLOW_TEXT

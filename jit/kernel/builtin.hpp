#pragma once
// The built-in table: kernels that are compiled into the library for each instruction set and need
// no run-time compilation.

#include <unordered_map>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/arguments/argument_types.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/kernel/isa.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

using BuiltinIndex = std::unordered_map<KernelSpec, const BuiltinEntry*, KernelSpecHash>;

/// Returns every built-in specialisation, in its best form that requires no more than `isa`.
[[nodiscard]] BuiltinIndex builtin_index(Isa isa);

/// The types of the fields of its argument struct.
[[nodiscard]] ArgumentTypes argument_types_of(const BuiltinEntry& entry);

}  // namespace eflow::jit

EFLOW_EXPORT_END

#pragma once
// The built-in table: kernel texts that need no run-time specialisation, compiled into the library for each instruction set.

#include <unordered_map>

#include "eflow/jit/builtin_entry.hpp"
#include "eflow/jit/isa.hpp"

namespace eflow::jit {

using BuiltinIndex = std::unordered_map<Spec, const BuiltinEntry*, SpecHash>;

/// Every built-in specialisation, in its best form that needs no more than `isa`.
[[nodiscard]] BuiltinIndex builtin_index(Isa isa);

}  // namespace eflow::jit

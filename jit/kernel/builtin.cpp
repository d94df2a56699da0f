#include "eflow/jit/kernel/builtin.hpp"

#include <cstring>
#include <vector>

#include "eflow/jit/builtin/tables.inc"

namespace eflow::jit {

BuiltinIndex builtin_index(Isa isa) {
  BuiltinIndex index;
  for (const Isa candidate : usable_isas()) {
    if (candidate > isa) break;
    for (const BuiltinTable& table : builtin_tables(candidate)) {
      for (std::size_t i = 0; i < table.count; ++i) {
        index[table.entries[i].spec] = &table.entries[i];
      }
    }
  }
  return index;
}

ArgumentTypes argument_types_of(const BuiltinEntry& entry) {
  ArgumentTypes out = kUnknownArguments;
  if (entry.types != nullptr) std::memcpy(&out, entry.types, sizeof out);
  return out;
}

}  // namespace eflow::jit

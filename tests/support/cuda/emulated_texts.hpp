#pragma once
// Looks up the function that runs a built-in kernel on an emulated GPU.

#include <string_view>

#include "eflow/jit/kernel/builtin_entry.hpp"

namespace eflow::test {

/// By the text's file, the C++ name of the specialisation, and whether it loads by bulk copies.
/// Returns nullptr if it is not built in.
[[nodiscard]] const jit::BuiltinEntry* find_emulated(std::string_view file,
                                                     std::string_view expression, bool bulk);

}  // namespace eflow::test

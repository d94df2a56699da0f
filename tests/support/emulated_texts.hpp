#pragma once
// Which function runs a built-in kernel on an emulated GPU.

#include <string_view>

#include "eflow/jit/builtin_entry.hpp"

namespace eflow::test {

/// By the text's file and the C++ name of its specialisation, and whether it loads by bulk copies; nullptr when it is not built in.
[[nodiscard]] const jit::BuiltinEntry* find_emulated(std::string_view file,
                                                     std::string_view expression, bool bulk);

}  // namespace eflow::test

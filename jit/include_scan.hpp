#pragma once
// Which texts a kernel text includes. What is compiled must be a function of texts we know, so an
// include is only ever written `#include "path/from/the/root.h"`; anything else that could bring in
// text, or make it differ from one compile to the next, is an error and not a gap in a cache key.

#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {

/// Paths in the order of their #include lines. `name` is for messages. Throws CompileError naming
/// text and line for angle brackets, absolute, relative (./ ../) or macro spellings, #import,
/// #embed, include_next, __has_include,
/// __DATE__, __TIME__, __TIMESTAMP__, __COUNTER__.
[[nodiscard]] std::vector<std::string> scan_includes(std::string_view name, std::string_view text);

/// Whether `path` may name a text: lower-case words with digits, '_', '.', parted by '/'; no "." or
/// ".." parts.
[[nodiscard]] bool is_text_path(std::string_view path);

}  // namespace eflow::jit

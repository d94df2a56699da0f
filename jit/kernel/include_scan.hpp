#pragma once
// Finds the includes of a kernel text. A compile must be a function of known texts, so includes
// must be written `#include "path/from/the/root.h"`. Any other construct that reads a file or
// differs between compiles is rejected, since it would be missing from the cache key.

#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {

/// Returns the included paths in order. `name` is for messages. Throws CompileError with text and
/// line for angle brackets, absolute paths, relative paths (./ ../), macros in place of a path,
/// #import, #embed, include_next, __has_include, __DATE__, __TIME__, __TIMESTAMP__ and __COUNTER__.
[[nodiscard]] std::vector<std::string> scan_includes(std::string_view name, std::string_view text);

/// Whether `path` is a valid name of a text: parts of lower-case letters, digits, '_' and '.',
/// separated by '/', with no "." or ".." part.
[[nodiscard]] bool is_text_path(std::string_view path);

}  // namespace eflow::jit

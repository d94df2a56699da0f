#pragma once
// Checks of build requests that come from files. Such a file may be a stranger's: compiling it must
// not run programs, read files or write files that its author chose.

#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/build_request.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Begins the option that names the folder where a debugger finds the texts: the compile's directory
/// is recorded as this one.
inline constexpr std::string_view kSourcesOption = "-fdebug-prefix-map=.=";

/// Whether eflow passes such an option to the compiler of this back end. Excludes all that name a
/// file or a program: -wrapper, -B, -o, -include, -fplugin=, -specs=, @file.
[[nodiscard]] bool is_known_option(Backend backend, const std::string& option);

/// Throws InvalidArgument, with the offending part, unless all options are known and all texts have
/// valid paths (is_text_path).
void check_command(const BuildRequest& request);

/// check_command(), and no text or program reads a file other than the request's texts
/// (scan_includes; CompileError).
void check_foreign(const BuildRequest& request);

}  // namespace eflow::jit

EFLOW_EXPORT_END

#pragma once
// The GPU back end: NVRTC, opened at run time. Needs neither a GPU nor the toolkit's headers. Texts
// are passed from memory and each compile has its own program, so compiles run in parallel.

#include <string>
#include <string_view>

#include "eflow/jit/kernel/compiler.hpp"

namespace eflow::jit {

/// Opens `library` or, if empty, the newest libnvrtc known to the loader or found below
/// /usr/local/cuda*. Never throws.
[[nodiscard]] FoundCompiler find_nvrtc(const std::string& library);

/// Extracts registers, spills, stack and shared memory from the assembler's report, as maxima over
/// its kernels.
[[nodiscard]] Resources parse_resources(std::string_view log);

/// Extracts the warnings from a compile's log, which also contains the assembler's report; empty if
/// there are none.
[[nodiscard]] std::string parse_warnings(std::string_view log);

/// The GPU architectures that CI compiles all default specialisations for.
inline constexpr std::string_view kDefaultArchs[] = {"sm_80", "sm_89", "sm_90a", "sm_100",
                                                     "sm_120"};

}  // namespace eflow::jit

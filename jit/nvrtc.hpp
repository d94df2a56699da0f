#pragma once
// The GPU back end: NVRTC, opened at run time, needs neither a GPU nor the toolkit's headers. Texts come from memory and
// one program is made for each compile, so compiles run in parallel.

#include <string>
#include <string_view>

#include "eflow/jit/compiler.hpp"

namespace eflow::jit {

/// Opens `library` when it is named; else the newest libnvrtc that the loader or /usr/local/cuda* has. Never throws.
[[nodiscard]] FoundCompiler find_nvrtc(const std::string& library);

/// Registers, spills, stack and shared memory out of the assembler's report; the largest value of each where the report
/// has several kernels.
[[nodiscard]] Resources parse_resources(std::string_view log);

/// GPU architectures that default specialisations are checked for.
inline constexpr std::string_view kDefaultArchs[] = {"sm_80", "sm_89", "sm_90a", "sm_100",
                                                     "sm_120"};

}  // namespace eflow::jit

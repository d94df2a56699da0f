#pragma once
// The first run of a config, in a process of its own: one that hangs or crashes ends that process and not
// the tuner's.

#include <functional>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Calls `run` in a child process, which is killed after `seconds`. Returns how it failed: "did not finish
/// in 30 s", "ended with signal 11 (Segmentation fault)", "ended with exit code 9"; empty if it returned or
/// threw (the caller, who runs it next, sees the exception). For kernels on the CPU: a child has neither the
/// threads of its parent nor its GPU context. Throws IoError if the process cannot be started.
[[nodiscard]] std::string try_in_child(const std::function<void()>& run, double seconds);

}  // namespace eflow::jit

EFLOW_EXPORT_END

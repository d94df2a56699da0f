#pragma once
// The share of the machine's CPUs that control groups grant to this process. Containers, SLURM and
// systemd limit a process to fewer CPUs than it may be scheduled on.

#include <filesystem>

namespace eflow::jit {

/// Whole CPUs, at least 1, in the smallest quota of the process's own control group and the groups
/// above it, of versions 1 and 2; 0 if there is no quota. `root` is put before every path that is
/// read, for tests. Never throws.
[[nodiscard]] int cpu_quota(const std::filesystem::path& root = "/");

}  // namespace eflow::jit

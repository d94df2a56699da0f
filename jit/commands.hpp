#pragma once
// The commands `eflow jit ...` as a function, for the eflow program and for programs of others.

#include <ostream>
#include <string>
#include <vector>

#include "eflow/jit/options.hpp"

namespace eflow::jit {

/// What stands behind `eflow jit`, one line a command.
[[nodiscard]] std::string jit_usage();

/// Runs `args` (what follows `eflow jit`), writing to `out`.
///   doctor                              what is there, and what a missing part costs
///   compile KERNEL [--arch A] [--dump DIR]   one kernel through caches and compiler; works without a GPU
///   prepare [KERNEL...] [--list FILE] [--arch A]   many, in parallel
///   ls | show KEY | dump KEY [--to DIR] | verify | gc [--max-mb N]   the disk cache
///   why KERNEL [--arch A]               in what a kernel differs from the nearest cached one
///   pack FILE [--arch A]                all cached kernels, or those for A, in one file to ship
/// KERNEL is like 'reduce<bf16, f32>(1)', KEY the first digits of an entry's key, A cpu (this machine), an instruction
/// set or sm_NN. Returns 0, or 1 when something was found wrong; throws InvalidArgument for wrong arguments.
int run_jit_command(const std::vector<std::string>& args, std::ostream& out,
                    const Options& options);

}  // namespace eflow::jit

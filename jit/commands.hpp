#pragma once
// The commands `eflow jit ...` as a function, for the eflow program and for programs of others.

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "eflow/jit/build_request.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/jit/workload.hpp"

namespace eflow::jit {

/// Lists of kernels that `prepare --list NAME` knows without a file.
using KernelLists = std::map<std::string, std::function<std::vector<KernelRef>(Backend)>>;
/// What a list is asked for.
struct TuningNeeds {
  Backend backend = Backend::kHost;
  std::int64_t batch =
      1;  ///< samples, where that counts: of kernels that run over all of them at once
};
/// What `tune run --list NAME` tunes one after another: a model's kernels, at its sizes.
using TuningLists = std::map<std::string, std::function<std::vector<TuningJob>(TuningNeeds)>>;

/// What stands behind `eflow jit`, one line a command.
[[nodiscard]] std::string jit_usage();

/// Runs `args` (what follows `eflow jit`), writing to `out`.
///   doctor                              what is there, and what a missing part costs
///   compile KERNEL [--arch A] [--dump DIR]   one kernel through caches and compiler; works without a GPU
///   prepare [KERNEL...] [--list LIST] [--arch A,...] [--report FILE] [--spills refuse]   many, in parallel; the report
///     is a Markdown table of registers, shared memory and compile times
///   ls | show KEY | dump KEY [--to DIR] | verify | gc [--max-mb N]   the disk cache
///   why KERNEL [--arch A]               in what a kernel differs from the nearest cached one
///   pack FILE [--arch A]                all cached kernels, or those for A, in one file to ship
///   repro KERNEL [--arch A] [--to DIR] | repro FILE   a folder that compiles the kernel again; compiles one's request
///   tune run KERNEL... [--sizes S] | run --list NAME | list [NAME] | show | export FILE | import FILE   the autotuner;
///     NAME is one of `tuning_lists`; --batch N: of so many samples; list needs no GPU to say what --device cuda would do
///   bench [KERNEL [KERNEL]] [--sizes S]   times one kernel, two in turn, or what the JIT itself costs
/// LIST is one of `lists` or a file with a KERNEL a line; without KERNEL, a GPU gets all built-in kernels.
/// KERNEL is like 'reduce<bf16, f32>(1)', KEY the first digits of an entry's key, A cpu (this machine), an instruction
/// set or sm_NN, S like 'm=512,n=64'. `kernels` are those that tune and bench can run. Returns 0, or 1 when something was found wrong; throws InvalidArgument for wrong arguments.
int run_jit_command(const std::vector<std::string>& args, std::ostream& out, const Options& options,
                    const std::vector<RunnableKernel>& kernels = {}, const KernelLists& lists = {},
                    const TuningLists& tuning_lists = {});

}  // namespace eflow::jit

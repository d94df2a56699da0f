#pragma once
// The commands `eflow jit ...` as a function, for the eflow program and for other programs.

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/jit/tune/workload.hpp"

namespace eflow::jit {

/// Named lists of kernels for `prepare --list NAME`.
using KernelLists = std::map<std::string, std::function<std::vector<KernelRef>(Backend)>>;
/// The arguments of a tuning list.
struct TuningNeeds {
  Backend backend = Backend::kHost;
  std::int64_t batch = 1;  ///< samples per launch, for kernels whose sizes depend on it
};
/// Named lists for `tune run --list NAME`: a model's kernels at its sizes.
using TuningLists = std::map<std::string, std::function<std::vector<TuningJob>(TuningNeeds)>>;

/// The help text of `eflow jit`, one line per command.
[[nodiscard]] std::string jit_usage();

/// Runs `args` (the words after `eflow jit`) and writes to `out`.
///
///   doctor                     reports the tools found, and what each missing one costs
///   compile KERNEL [--arch A] [--dump DIR]
///                              compiles one kernel, through the caches; needs no GPU
///           [--ptx FILE] [--sass FILE]
///                              writes its PTX or machine code as text (nvdisasm; objdump)
///   kernels                    lists all kernels: name, text, expression
///   prepare [KERNEL...] [--list LIST] [--arch A,...] [--report FILE] [--spills refuse]
///                              compiles many kernels in parallel; the report is a Markdown table
///                              of registers, shared memory and compile times
///   ls | show KEY | dump KEY [--to DIR] | verify | gc [--max-mb N]
///                              inspects and maintains the disk cache
///   why KERNEL [--arch A]      shows how a kernel differs from the nearest cached one
///   pack FILE [--arch A]       writes cached kernels, all or those for A, to one file
///   repro KERNEL [--arch A] [--to DIR]
///                              writes a folder with everything needed to compile the kernel
///   repro FILE                 compiles the request.bin of such a folder
///   tune run KERNEL... [--sizes S] | run --list NAME | list [NAME] | show | export FILE
///        | import FILE         runs the autotuner or manages its records; NAME is a key of
///                              `tuning_lists`; --batch N sets the samples per launch; `list`
///                              needs no GPU, even with --device cuda
///   tune export --pack FILE [KERNEL --text T ...] [--arch A,...] [--with-ptx no]
///                              writes the records with their kernels (jit/tune/tuned_pack.hpp)
///   bench [KERNEL [KERNEL]] [--sizes S]
///                              times one kernel, compares two, or measures the JIT's overhead
///
/// compile, tune run and bench also take a kernel whose text is a file: text_kernel.hpp.
///
/// KERNEL is like 'reduce<bf16, f32>(1)'; KEY is a prefix of an entry's key; A is cpu (this
/// machine), an instruction set or sm_NN; S is like 'm=512,n=64'; LIST is a key of `lists` or a
/// file with one KERNEL per line. Without KERNEL, prepare compiles all built-in kernels for a GPU.
///
/// `kernels` are those that tune and bench can run. Returns 0, or 1 if a check or a kernel failed.
/// Throws InvalidArgument for invalid arguments.
int run_jit_command(const std::vector<std::string>& args, std::ostream& out, const Options& options,
                    const std::vector<TunableKernel>& kernels = {}, const KernelLists& lists = {},
                    const TuningLists& tuning_lists = {});

}  // namespace eflow::jit

#pragma once
// Declarations shared by the commands of `eflow jit`. Internal to jit.

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tune/workload.hpp"
#include "eflow/trainer/program/jit/commands.hpp"

namespace eflow::jit {

/// The arguments of one command, validated against what it accepts.
struct CommandLine {
  std::vector<std::string> words = {};
  std::map<std::string, std::string> values = {};  ///< by name, without --

  /// `allowed` lists the option names; every option takes a value. Throws InvalidArgument.
  static CommandLine parse(const std::vector<std::string>& args,
                           const std::vector<std::string>& allowed, std::size_t min_words,
                           std::size_t max_words);
  [[nodiscard]] std::string value(const std::string& name, const std::string& otherwise) const;
  /// As value(), but throws InvalidArgument unless the value is one of `choices`; the first is the
  /// default.
  [[nodiscard]] std::string choice(const std::string& name,
                                   const std::vector<std::string>& choices) const;
  /// Throws InvalidArgument if one of `names` was given, since it would have no effect: "--NAME has
  /// no effect REASON".
  void refuse(const std::vector<std::string>& names, const std::string& reason) const;
};

/// Parses --arch. "cpu" or "" is the instruction set from the options, or this machine's best.
/// Throws InvalidArgument.
[[nodiscard]] Target parse_target(const std::string& text, const Options& options);

/// "1.2 MB".
[[nodiscard]] std::string describe_bytes(std::uint64_t bytes);
/// "0.35 s".
[[nodiscard]] std::string describe_seconds(double seconds);
/// "40 registers, no spills, 512 B shared"; empty for a CPU kernel.
[[nodiscard]] std::string describe_resources(const Resources& resources);

/// The runnable kernel with this name or reference. Throws InvalidArgument with the list of known
/// names.
struct NamedKernel {
  const TunableKernel* kernel;
  KernelSpec spec = {};
};
[[nodiscard]] NamedKernel find_tunable(const std::vector<TunableKernel>& kernels,
                                       const std::string& word);
[[nodiscard]] NamedKernel find_tunable(const std::vector<TunableKernel>& kernels,
                                       const KernelRef& ref);
/// Parses "m=512,n=64" into the kernel's sizes; sizes that are not named keep their defaults.
/// `known` lists sizes of other kernels that may be named too. Throws InvalidArgument.
[[nodiscard]] std::vector<std::int64_t> parse_sizes(const std::string& text,
                                                    const TunableKernel& kernel,
                                                    const std::vector<SizeParameter>& known = {});
/// The positive number given for option `name`, or `otherwise`. Throws InvalidArgument.
[[nodiscard]] double number_option(const CommandLine& line, const std::string& name,
                                   double otherwise);
/// One line about a kernel that was compiled or found in a cache.
[[nodiscard]] std::string describe_built(const BuildRequest& request, const Built& built);
/// "1.234 ms".
[[nodiscard]] std::string describe_time(double seconds);

int run_doctor(KernelBuilder& builder, const Options& options, std::ostream& out);
int run_compile(const CommandLine& line, KernelBuilder& builder, const Options& options,
                std::ostream& out);
int run_kernels(KernelBuilder& builder, std::ostream& out);
int run_prepare(const CommandLine& line, const KernelLists& lists, KernelBuilder& builder,
                const Options& options, std::ostream& out);
int run_why(const CommandLine& line, KernelBuilder& builder, const Options& options,
            std::ostream& out);
int run_ls(KernelBuilder& builder, std::ostream& out);
int run_show(const CommandLine& line, KernelBuilder& builder, std::ostream& out);
int run_dump(const CommandLine& line, KernelBuilder& builder, std::ostream& out);
int run_verify(KernelBuilder& builder, std::ostream& out);
int run_gc(const CommandLine& line, Options options, std::ostream& out);
int run_repro(const CommandLine& line, KernelBuilder& builder, const Options& options,
              std::ostream& out);
int run_tune(const CommandLine& line, const std::vector<TunableKernel>& kernels,
             const TuningLists& lists, const Options& options, std::ostream& out);
int run_bench(const CommandLine& line, const std::vector<TunableKernel>& kernels,
              const Options& options, std::ostream& out);
int run_pack(const CommandLine& line, KernelBuilder& builder, const Options& options,
             std::ostream& out);

}  // namespace eflow::jit

#include "eflow/trainer/program/jit/commands.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"

namespace eflow::jit {

CommandLine CommandLine::parse(const std::vector<std::string>& args,
                               const std::vector<std::string>& allowed, std::size_t min_words,
                               std::size_t max_words) {
  CommandLine out;
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (!args[i].starts_with("--")) {
      out.words.push_back(args[i]);
      continue;
    }
    const std::size_t equals = std::min(args[i].find('='), args[i].size());
    const std::string name = args[i].substr(2, equals - 2);
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      throw InvalidArgument(
          str("eflow jit ", args[0], " has no option --", name, "\n", jit_usage()));
    }
    if (equals < args[i].size()) {
      out.values[name] = args[i].substr(equals + 1);
    } else if (i + 1 < args.size()) {
      out.values[name] = args[++i];
    } else {
      throw InvalidArgument(str("--", name, " needs a value"));
    }
  }
  if (out.words.size() < min_words || out.words.size() > max_words) {
    throw InvalidArgument(str("eflow jit ", args[0], " takes ",
                              min_words == max_words ? "" : "at least ", min_words,
                              " arguments, but ", out.words.size(), " were given\n", jit_usage()));
  }
  return out;
}

std::string CommandLine::value(const std::string& name, const std::string& otherwise) const {
  const auto found = values.find(name);
  return found == values.end() ? otherwise : found->second;
}

std::string CommandLine::choice(const std::string& name,
                                const std::vector<std::string>& choices) const {
  const std::string text = value(name, choices.front());
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return text;
  std::string known;
  for (const std::string& each : choices) known += (known.empty() ? "" : " or ") + each;
  throw InvalidArgument(str("--", name, ": expected ", known, ", found '", text, "'"));
}

void CommandLine::refuse(const std::vector<std::string>& names, const std::string& reason) const {
  for (const std::string& name : names) {
    if (values.contains(name)) throw InvalidArgument(str("--", name, " has no effect ", reason));
  }
}

Target parse_target(const std::string& text, const Options& options) {
  if (text.empty() || text == "cpu") {
    return {Backend::kHost, std::string(name_of(options.isa ? *options.isa : default_isa()))};
  }
  if (isa_from_name(text)) return {Backend::kHost, text};
  const bool ptx = text.starts_with(kPtxArchPrefix);
  const std::string_view digits =
      std::string_view(text).substr(std::min(ptx ? kPtxArchPrefix.size() : 3, text.size()));
  if ((ptx || text.starts_with("sm_")) && digits.size() >= 2 && digits.size() <= 4 &&
      digits[0] >= '0' && digits[0] <= '9') {
    return {Backend::kCuda, text};
  }
  throw InvalidArgument(
      str("--arch ", text,
          " is unknown; expected cpu, baseline, avx2, avx512, avx512_bf16, amx, sm_NN or "
          "compute_NN (PTX)"));
}

std::string describe_bytes(std::uint64_t bytes) {
  const char* units[] = {"B", "kB", "MB", "GB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1000 && unit < 3; ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

std::string describe_seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", seconds);
  return text;
}

std::string describe_resources(const Resources& r) {
  if (r.registers == 0) return "";
  const std::string spills = r.spill_stores + r.spill_loads == 0
                                 ? "no spills"
                                 : str("SPILLS ", r.spill_stores, " + ", r.spill_loads, " B");
  return str(r.registers, " registers, ", spills, ", ", r.shared, " B shared");
}

std::string jit_usage() {
  return "eflow jit doctor                           reports the tools found, and what is missing\n"
         "eflow jit compile KERNEL [--arch A] [--dump DIR]      compiles one kernel; needs no GPU\n"
         "                  [--ptx FILE] [--sass FILE]         writes its PTX or machine code as "
         "text\n"
         "eflow jit kernels                          lists all kernels that have a name\n"
         "eflow jit prepare [KERNEL...] [--list default|FILE] [--arch A,...]    compiles many, in "
         "parallel\n"
         "                  [--report FILE] [--spills refuse]    and reports their resource usage\n"
         "eflow jit ls | verify | gc [--max-mb N]    inspects or cleans the disk cache\n"
         "eflow jit show KEY | dump KEY [--to DIR]   inspects one cache entry\n"
         "eflow jit why KERNEL [--arch A]            shows how a kernel differs from the nearest "
         "cached one\n"
         "eflow jit pack FILE [--arch A]             writes all cached kernels to one file to "
         "ship\n"
         "eflow jit repro KERNEL [--arch A] [--to DIR]    writes a folder that reproduces the "
         "compile\n"
         "eflow jit repro FILE                       compiles the request.bin of such a folder\n"
         "eflow jit tune run KERNEL... [--sizes S] [--budget-s N] [--again yes] [--device D]\n"
         "                   [--cpu-time yes]        measures CPU time, for busy machines\n"
         "eflow jit tune run --list MODEL [--batch N]    tunes a model's kernels at its sizes; on "
         "a "
         "GPU also\n"
         "                                           its matrix products, for N samples (default "
         "1)\n"
         "eflow jit tune list [MODEL] [--device D] [--batch N]    lists what can be tuned, or what "
         "`run\n"
         "                                           --list MODEL` would tune\n"
         "eflow jit tune show | export FILE | import FILE    manages the records of all devices\n"
         "eflow jit tune export --pack FILE [--arch A,...] [--with-ptx no]    the records with "
         "their fastest\n"
         "                                           kernels, for EFLOW_PACKS; also for further "
         "architectures,\n"
         "                                           and as PTX for newer GPUs\n"
         "eflow jit bench KERNEL [KERNEL] [--sizes S] [--device D] [--cpu-time yes]   times one, "
         "or "
         "compares two\n"
         "eflow jit bench                            measures the JIT's overhead on this machine\n"
         "compile, tune run and bench also take a kernel of yours: --text FILE --expression "
         "'matmul<$t0, $c0>'\n"
         "                   [--threads N]; tune and bench give it operands: --arguments "
         "'x:bf16[n], out\n"
         "                   y:bf16[n], n' --grid '(n+1023)/1024' [--tunables 'c0=64,128;c1=1,2'] "
         "--sizes n=4096\n"
         "KERNEL is like 'reduce<bf16, f32>(1)'; A is cpu, an instruction set, or sm_NN;\n"
         "S is like 'm=512,n=64'; D is cpu or cuda:0\n";
}

int run_jit_command(const std::vector<std::string>& args, std::ostream& out, const Options& options,
                    const std::vector<TunableKernel>& kernels, const KernelLists& lists,
                    const TuningLists& tuning_lists) {
  const std::string command = args.empty() ? "" : args[0];
  const auto line = [&](std::vector<std::string> allowed, std::size_t min_words,
                        std::size_t max_words) {
    return CommandLine::parse(args, allowed, min_words, max_words);
  };
  if (command == "--help" || command == "help") return out << jit_usage(), 0;
  if (command == "gc") return run_gc(line({"max-mb"}, 0, 0), options, out);
  if (command == "tune")
    return run_tune(
        line({"sizes", "list", "budget-s", "again", "cpu-time", "device", "batch", "text",
              "expression", "threads", "arguments", "grid", "tunables", "pack", "arch", "with-ptx"},
             1, 1000),
        kernels, tuning_lists, options, out);
  if (command == "bench")
    return run_bench(line({"sizes", "budget-s", "cpu-time", "device", "text", "expression",
                           "threads", "arguments", "grid", "tunables"},
                          0, 2),
                     kernels, options, out);
  KernelBuilder builder(options);
  define_kernels(builder.definitions());
  define_texts(builder.definitions(), kernels);
  if (command == "doctor")
    return static_cast<void>(line({}, 0, 0)), run_doctor(builder, options, out);
  if (command == "compile")
    return run_compile(line({"arch", "dump", "text", "expression", "threads", "ptx", "sass"}, 1, 1),
                       builder, options, out);
  if (command == "kernels") return static_cast<void>(line({}, 0, 0)), run_kernels(builder, out);
  if (command == "prepare")
    return run_prepare(line({"arch", "list", "report", "spills"}, 0, 100000), lists, builder,
                       options, out);
  if (command == "why") return run_why(line({"arch"}, 1, 1), builder, options, out);
  if (command == "ls") return static_cast<void>(line({}, 0, 0)), run_ls(builder, out);
  if (command == "repro") return run_repro(line({"arch", "to"}, 1, 1), builder, options, out);
  if (command == "show") return run_show(line({}, 1, 1), builder, out);
  if (command == "dump") return run_dump(line({"to"}, 1, 1), builder, out);
  if (command == "verify") return static_cast<void>(line({}, 0, 0)), run_verify(builder, out);
  if (command == "pack") return run_pack(line({"arch"}, 1, 1), builder, options, out);
  throw InvalidArgument(
      str(command.empty() ? "eflow jit needs a command" : "eflow jit has no command " + command,
          "\n", jit_usage()));
}

}  // namespace eflow::jit

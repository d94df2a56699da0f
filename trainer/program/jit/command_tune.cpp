// eflow jit tune: runs the autotuner and manages its database.
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/cuda/driver.hpp"
#include "eflow/jit/tune/tuned_pack.hpp"
#include "eflow/jit/tune/tuner.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"
#include "eflow/trainer/program/jit/commands.hpp"
#include "eflow/trainer/program/jit/text_kernel.hpp"

namespace eflow::jit {
namespace {

TuningDatabase database_of(KernelBuilder& builder) {
  if (builder.disk() == nullptr) {
    throw InvalidArgument(str("there is no cache directory for tuning records: ",
                              builder.disk_why(), "; set EFLOW_CACHE_DIR"));
  }
  return TuningDatabase(builder.disk()->options().root);
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string time_of(const ConfigRecord& c) {
  return c.us.empty() ? "-" : describe_time(median_interval(c.us).median * 1e-6);
}

/// Formats sizes as an option: "--sizes n=2048,heads=4".
std::string describe_sizes(const TunableKernel& k, const std::vector<std::int64_t>& sizes) {
  std::string out;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    out += str(i == 0 ? "--sizes " : ",", k.sizes[i].name, "=", sizes[i]);
  return out;
}

std::vector<TuningJob> jobs_of_list(const TuningLists& lists, const std::string& name,
                                    const CommandLine& line, Backend backend) {
  const auto known = lists.find(name);
  if (known != lists.end())
    return known->second({backend, static_cast<std::int64_t>(number_option(line, "batch", 1))});
  std::string names;
  for (const auto& [other, jobs] : lists) names += (names.empty() ? "" : ", ") + other;
  throw InvalidArgument(
      str("there is no tuning list ", name, "; expected one of ", names.empty() ? "none" : names));
}

void describe(const TuningRecord& r, std::ostream& out) {
  out << to_string(r.key.kernel.spec, r.key.kernel.name) << " for sizes " << to_string(r.key.shape)
      << ", " << r.key.arch << ", " << r.key.device << (r.finished ? "" : ", UNFINISHED") << '\n';
  for (std::size_t i = 0; i < r.configs.size(); ++i) {
    const ConfigRecord& c = r.configs[i];
    const bool best = static_cast<int>(i) == r.best;
    out << (best ? "  * " : "    ") << r.text_of(c) << "  " << time_of(c)
        << (c.state == ConfigState::kOk ? "" : str("  ", name_of(c.state))) << '\n';
  }
}

void report(const TuneOutcome& outcome, std::ostream& out) {
  const TuningRecord& r = outcome.record;
  describe(r, out);
  if (outcome.known) {
    out << "  already tuned at " << r.at << "; --again yes measures again\n";
  } else if (r.best == 0) {
    out << "  the default stays: no config is significantly more than 3 % faster ("
        << outcome.rounds << " rounds)\n";
  } else {
    out << "  " << r.text_of(r.configs[static_cast<std::size_t>(r.best)]) << " takes "
        << percent(r.gain) << " less time than the default (" << outcome.rounds << " rounds)\n";
  }
  if (!outcome.known && outcome.margin > 0)
    out << "  another config may take up to " << percent(outcome.margin)
        << " less (99 % confidence)\n";
}

/// The kernels that the command names, with their sizes: individually or through a list.
std::vector<TuningJob> jobs_of(const CommandLine& line, const std::vector<TunableKernel>& kernels,
                               const TuningLists& lists, Backend backend) {
  const std::string name = line.value("list", "");
  if (!name.empty()) return jobs_of_list(lists, name, line, backend);
  std::vector<TuningJob> out;
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    const NamedKernel named = find_tunable(kernels, line.words[i]);
    out.push_back({{named.kernel->definition.name, named.spec},
                   parse_sizes(line.value("sizes", ""), *named.kernel)});
  }
  return out;
}

int tune_kernels(const CommandLine& line, const std::vector<TunableKernel>& kernels,
                 const TuningLists& lists, Options options, std::ostream& out) {
  options.device = line.value("device", options.device);
  Runtime runtime(options);
  define_kernels(runtime.builder().definitions());
  if (has_text(line))
    define_text(line, parse_kernel(line.words[1]), runtime.builder());
  else
    define_texts(runtime.builder().definitions(), kernels);
  const TuningDatabase database = database_of(runtime.builder());
  TuneOptions tuning;
  tuning.race.budget_seconds = number_option(line, "budget-s", tuning.race.budget_seconds);
  tuning.again = line.choice("again", {"no", "yes"}) == "yes";
  if (line.choice("cpu-time", {"no", "yes"}) == "yes") tuning.clock = cpu_clock(runtime);
  tuning.say = [&](const std::string& text) { out << text << std::endl; };
  const Backend backend = runtime.target().backend;
  for (const TuningJob& job : jobs_of(line, kernels, lists, backend)) {
    const TunableKernel& k = *find_tunable(kernels, job.kernel).kernel;
    const KernelSpec spec = k.default_config ? k.default_config(backend, job.kernel.spec, job.sizes)
                                             : k.definition.space.with_defaults(job.kernel.spec);
    out << "tuning " << to_string(spec, k.definition.name) << ' ' << describe_sizes(k, job.sizes)
        << std::endl;
    const Workload workload = k.workload(runtime, spec, job.sizes);
    report(tune(runtime, database, {k.definition.name, spec}, workload, tuning), out);
  }
  return 0;
}

/// Writes a pack of the records' kernels.
int export_pack(const CommandLine& line, const std::vector<TunableKernel>& kernels,
                const Options& options, std::ostream& out) {
  KernelBuilder builder(options);
  define_kernels(builder.definitions());
  define_texts(builder.definitions(), kernels);
  if (line.words.size() == 2) {
    if (!has_text(line))
      throw InvalidArgument(str("eflow jit tune export --pack FILE ", line.words[1],
                                " needs the kernel's --text and --expression; without a kernel, "
                                "all records of eflow's kernels are exported"));
    define_text(line, parse_kernel(line.words[1]), builder);
  } else {
    line.refuse({"text", "expression", "threads", "tunables"}, "without the kernel of the text");
  }
  TunedPackOptions pack;
  std::string list = line.value("arch", "");
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    pack.targets.push_back(parse_target(list.substr(0, end), options));
    list.erase(0, end + 1);
  }
  if (line.choice("with-ptx", {"yes", "no"}) == "no") pack.ptx.clear();
  pack.say = [&](const std::string& text) { out << text << std::endl; };
  const std::string file = line.value("pack", "");
  const TunedPack written = write_tuned_pack(file, builder, database_of(builder).all(), pack);
  out << written.records << " records, " << written.kernels << " kernels and " << written.ptx
      << " as PTX in " << file << "; EFLOW_PACKS=" << file << " uses them\n";
  return 0;
}

/// Lists every tunable kernel, or the kernels of one tuning list.
int list(const CommandLine& line, const std::vector<TunableKernel>& kernels,
         const TuningLists& lists, const Options& options, std::ostream& out) {
  const std::string name = line.words.size() == 2 ? line.words[1] : line.value("list", "");
  if (!name.empty()) {
    const std::string device = line.value("device", options.device);
    const bool gpu = resolve_device(device, options.cuda, options.cuda_library) != "cpu";
    for (const TuningJob& job :
         jobs_of_list(lists, name, line, gpu ? Backend::kCuda : Backend::kHost)) {
      const TunableKernel& k = *find_tunable(kernels, job.kernel).kernel;
      out << to_string(job.kernel.spec, job.kernel.name) << ' ' << describe_sizes(k, job.sizes)
          << '\n';
    }
    return 0;
  }
  for (const TunableKernel& k : kernels) {
    std::vector<std::int64_t> sizes;
    for (const SizeParameter& s : k.sizes) sizes.push_back(s.value);
    out << k.definition.name << ' ' << describe_sizes(k, sizes) << ": ";
    if (!k.is_text()) out << " algorithms of the GPU library";
    for (const Tunable& t : k.definition.space.tunables) {
      out << ' ' << t.name;
      for (std::size_t i = 0; i < t.values.size(); ++i)
        out << (i == 0 ? " {" : ", ") << t.values[i];
      out << '}';
    }
    out << '\n';
  }
  for (const auto& [model, jobs] : lists) out << "--list " << model << '\n';
  return 0;
}

}  // namespace

int run_tune(const CommandLine& line, const std::vector<TunableKernel>& kernels,
             const TuningLists& lists, const Options& options, std::ostream& out) {
  const std::string& what = line.words[0];
  if (what == "export" && !line.value("pack", "").empty() && line.words.size() <= 2) {
    line.refuse(
        {"sizes", "budget-s", "again", "cpu-time", "list", "device", "batch", "arguments", "grid"},
        "on eflow jit tune export");
    return export_pack(line, kernels, options, out);
  }
  line.refuse({"pack", "arch", "with-ptx"}, "but on eflow jit tune export --pack FILE");
  const bool by_list = !line.value("list", "").empty();
  if (what == "run" && by_list != (line.words.size() > 1)) {
    if (by_list) line.refuse({"sizes", "text"}, "with --list, which has sizes of its own");
    if (!by_list) line.refuse({"batch"}, "without --list MODEL");
    if (has_text(line))
      return tune_kernels(line, {text_kernel(line, parse_kernel(line.words[1]))}, lists, options,
                          out);
    return tune_kernels(line, kernels, lists, options, out);
  }
  line.refuse(kTextOptions, str("on eflow jit tune ", what));
  line.refuse(kOperandOptions, str("on eflow jit tune ", what));
  line.refuse({"sizes", "budget-s", "again", "cpu-time"}, str("on eflow jit tune ", what));
  if (what == "list" && line.words.size() <= 2) {
    if (line.words.size() == 2) line.refuse({"list"}, "after a MODEL");
    if (line.words.size() == 1 && !by_list) line.refuse({"device", "batch"}, "without a MODEL");
    return list(line, kernels, lists, options, out);
  }
  line.refuse({"list", "device", "batch"}, str("on eflow jit tune ", what));
  KernelBuilder builder(options);
  const auto unsound = [&](const std::filesystem::path& path, const std::string& why) {
    out << "ignored: " << path.string() << ": " << why << '\n';
  };
  if (what == "show" && line.words.size() == 1) {
    const std::vector<TuningRecord> records = database_of(builder).all(unsound);
    for (const TuningRecord& r : records) describe(r, out);
    out << records.size() << " records\n";
    return 0;
  }
  if (line.words.size() == 2 && what == "export") {
    out << database_of(builder).export_to(line.words[1]) << " records in " << line.words[1]
        << "; `eflow jit tune import` adds them to another cache\n";
    return 0;
  }
  if (line.words.size() == 2 && what == "import") {
    out << database_of(builder).import_from(line.words[1], unsound) << " records imported\n";
    return 0;
  }
  throw InvalidArgument(
      "eflow jit tune expects: run KERNEL..., run --list MODEL, list, show, export FILE, export "
      "--pack FILE or import FILE\n" +
      jit_usage());
}

}  // namespace eflow::jit

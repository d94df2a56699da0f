// eflow jit prepare: compiles many kernels for one or several targets in parallel, and reports
// their resource usage.
#include <algorithm>
#include <mutex>
#include <sstream>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/jit/host/parallel.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"
#include "eflow/trainer/program/jit/prepare_report.hpp"

namespace eflow::jit {
namespace {

const BuiltinIndex& builtin() {
  static const BuiltinIndex index = builtin_index(Isa::kBaseline);
  return index;
}

/// All built-in kernels, sorted by name.
std::vector<KernelRef> builtin_for_gpu() {
  std::vector<KernelRef> out;
  for (const auto& [spec, entry] : builtin()) out.emplace_back(entry->text, spec);
  std::sort(out.begin(), out.end(), [](const KernelRef& a, const KernelRef& b) {
    return to_string(a.spec, a.name) < to_string(b.spec, b.name);
  });
  return out;
}

std::vector<KernelRef> kernels_in_file(const std::string& file) {
  std::vector<KernelRef> out;
  std::istringstream lines(read_file(file));
  for (std::string text; std::getline(lines, text);) {
    text.erase(std::min(text.find('#'), text.size()));
    text.erase(text.find_last_not_of(" \t\r") + 1);
    if (!text.empty()) out.push_back(parse_kernel(text));
  }
  return out;
}

/// Collects the kernels named as words and those of the list: a known name, or a file with one
/// kernel per line and comments after #. For a GPU, if none is named individually, also all
/// built-in kernels.
std::vector<KernelRef> kernels_of(const CommandLine& line, const KernelLists& lists,
                                  const Target& target) {
  std::vector<KernelRef> out;
  for (const std::string& word : line.words) out.push_back(parse_kernel(word));
  const std::string name = line.value("list", "");
  const auto known = lists.find(name);
  if (known == lists.end() && !name.empty()) {
    for (KernelRef& kernel : kernels_in_file(name)) out.push_back(std::move(kernel));
  }
  if (out.empty() && target.backend == Backend::kCuda) out = builtin_for_gpu();
  if (known != lists.end()) {
    for (KernelRef& kernel : known->second(target.backend)) out.push_back(std::move(kernel));
  }
  return out;
}

std::vector<Target> parse_targets(const std::string& text, const Options& options) {
  std::vector<Target> out;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');)
    out.push_back(parse_target(name, options));
  if (out.empty()) out.push_back(parse_target("", options));
  return out;
}

/// The work list of a prepare command and its results.
struct Work {
  struct Item {
    KernelRef kernel;
    Target target;
  };
  std::vector<Item> items;
  std::mutex mutex;  // guards the members below and the output
  std::vector<ReportedKernel> made;
  int failed = 0, spilling = 0;
};

void prepare_one(const Work::Item& item, Work& work, KernelBuilder& builder, const Options& options,
                 std::ostream& out) {
  try {
    const BuildRequest request = builder.request(item.kernel, item.target);
    const KernelSource source = builder.definitions().source(item.kernel);
    const Built built = builder.build(request, {.timeout = options.compile_timeout, .stop = {}});
    const Artifact& a = *built.artifact;
    const std::lock_guard lock(work.mutex);
    work.spilling += a.resources.spill_stores + a.resources.spill_loads > 0;
    work.made.push_back({item.kernel, std::string(short_text_path(source.text)),
                         builtin().contains(item.kernel.spec), item.target.arch, a.resources,
                         a.seconds});
    out << describe_built(request, built) << '\n';
  } catch (const Error& e) {
    const std::lock_guard lock(work.mutex);
    ++work.failed;
    out << "FAILED: " << e.what() << '\n';
  }
}

}  // namespace

std::string describe_built(const BuildRequest& request, const Built& built) {
  const Artifact& a = *built.artifact;
  const std::string resources = describe_resources(a.resources);
  return str(to_hex(a.key).substr(0, 12), "  ", request.title(), ": ", name_of(built.origin), ", ",
             describe_bytes(a.image.size()), ", compile took ", describe_seconds(a.seconds),
             resources.empty() ? "" : ", ", resources);
}

int run_prepare(const CommandLine& line, const KernelLists& lists, KernelBuilder& builder,
                const Options& options, std::ostream& out) {
  const bool spills_allowed = line.choice("spills", {"allow", "refuse"}) == "allow";
  Work work;
  std::vector<std::string> archs;
  for (const Target& target : parse_targets(line.value("arch", ""), options)) {
    archs.push_back(target.arch);
    for (KernelRef& kernel : kernels_of(line, lists, target))
      work.items.push_back({std::move(kernel), target});
  }
  if (work.items.empty()) {
    out << "Nothing to do: the built-in kernels are already compiled for the CPU. Name kernels, a "
           "--list or --arch sm_NN.\n";
    return 0;
  }
  const Stopwatch watch;
  parallel_for(work.items.size(), options.compile_threads,
               [&](std::size_t i) { prepare_one(work.items[i], work, builder, options, out); });
  const double seconds = watch.seconds();
  const Stats stats = builder.stats();
  out << work.items.size() << " kernels for";
  for (const std::string& arch : archs) out << ' ' << arch;
  out << " in " << describe_seconds(seconds) << ": " << stats.compiled << " compiled, "
      << stats.disk_hits + stats.pack_hits << " found, " << work.failed << " failed, "
      << work.spilling << " spilling\n";
  if (const std::string file = line.value("report", ""); !file.empty())
    write_file_atomically(file, prepare_report(work.made, archs));
  return work.failed == 0 && (spills_allowed || work.spilling == 0) ? 0 : 1;
}

}  // namespace eflow::jit

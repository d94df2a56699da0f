// eflow jit bench: times one kernel, compares two, or measures the JIT's overhead.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/tune/bench.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"
#include "eflow/trainer/program/jit/commands.hpp"
#include "eflow/trainer/program/jit/text_kernel.hpp"

namespace eflow::jit {
namespace {

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void row(char letter, const std::string& title, const MedianInterval& seconds, double flops,
         std::ostream& out) {
  out << letter << "  " << title << "\n   " << describe_time(seconds.median) << " ["
      << describe_time(seconds.low) << ", " << describe_time(seconds.high) << "]";
  if (flops > 0) out << ", " << fixed(flops / seconds.median * 1e-9, 1) << " GFLOP/s";
  out << '\n';
}

/// Prepares both kernels; each gets operands of its own.
struct Side {
  std::string title;
  KernelSpec spec;
  Workload workload;
};

Side make_side(Runtime& runtime, const NamedKernel& named, const std::vector<std::int64_t>& sizes) {
  const TunableKernel& k = *named.kernel;
  const KernelSpec spec =
      k.default_config ? k.default_config(runtime.target().backend, named.spec, sizes) : named.spec;
  if (k.is_text()) {
    const Prepared made = runtime.prepare({{k.definition.name, spec}})[0];
    if (!made.ok()) throw CompileError(made.error);
  }
  return {to_string(spec, k.definition.name), spec, k.workload(runtime, spec, sizes)};
}

void verdict(const Comparison& c, std::ostream& out) {
  const std::string share = fixed(std::abs(c.gain) * 100, 1) + " %";
  out << "A / B in turns: " << fixed(c.ratio.median, 3) << " [" << fixed(c.ratio.low, 3) << ", "
      << fixed(c.ratio.high, 3) << "]\n";
  if (!c.separated)
    out << "No gain: the difference is not significant (the times differ by " << share << ").\n";
  else if (c.gain > 0)
    out << "A takes " << share << " less time than B.\n";
  else
    out << "No gain: A takes more time than B; B takes " << fixed((1 - 1 / c.ratio.median) * 100, 1)
        << " % less.\n";
  out << "Their results differ by at most " << c.difference << " of the largest value.\n";
}

int bench_one(const Side& a, const LaunchClock& clock, const RaceOptions& options,
              std::ostream& out) {
  const Comparison c = compare({&a.workload, a.spec}, {&a.workload, a.spec}, clock, options);
  row('A', a.title, c.a, a.workload.flops, out);
  return 0;
}

int bench_overheads(const Options& options, std::ostream& out) {
  const Overheads o = measure_overheads(options);
  out << "construction of a Runtime                   " << describe_time(o.runtime_s) << '\n';
  if (!o.error.empty()) {
    out << "kernels cannot be compiled on this machine: " << o.error << '\n';
    return 1;
  }
  out << "the same, and compiling a small kernel      " << describe_time(o.compile_s) << '\n'
      << "the same, with the kernel in the disk cache " << describe_time(o.disk_s) << '\n'
      << "  of that, request and entry of the cache   " << describe_time(o.disk_hit_s) << '\n'
      << "  of that, loading the image                " << describe_time(o.load_s) << '\n'
      << "lookup of a prepared kernel                 " << describe_time(o.lookup_ns * 1e-9) << '\n'
      << "lookup of a config, nothing tuned           " << describe_time(o.tuned_ns * 1e-9) << '\n'
      << "launch of one empty block                   " << describe_time(o.launch_one_ns * 1e-9)
      << '\n'
      << "launch of an empty block on each of " << o.threads << " threads "
      << describe_time(o.launch_all_ns * 1e-9) << '\n';
  return 0;
}

}  // namespace

NamedKernel find_tunable(const std::vector<TunableKernel>& kernels, const std::string& word) {
  return find_tunable(kernels, parse_kernel(word));
}

NamedKernel find_tunable(const std::vector<TunableKernel>& kernels, const KernelRef& ref) {
  std::string names;
  for (const TunableKernel& k : kernels) {
    if (k.definition.name == ref.name) return {&k, ref.spec};
    names += (names.empty() ? "" : ", ") + k.definition.name;
  }
  throw InvalidArgument(str("no runnable kernel is called ", ref.name, "; expected one of ",
                            names.empty() ? "none" : names));
}

std::vector<std::int64_t> parse_sizes(const std::string& text, const TunableKernel& kernel,
                                      const std::vector<SizeParameter>& known) {
  std::vector<std::int64_t> out;
  std::string names;
  for (const SizeParameter& s : kernel.sizes) {
    out.push_back(s.value);
    names += str(names.empty() ? "" : ", ", s.name, "=", s.value);
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    const std::size_t equals = std::min(part.find('='), part.size() - 1);
    const std::string name = part.substr(0, equals);
    std::int64_t value = 0;
    const char* const last = part.data() + part.size();
    const auto [rest, code] = std::from_chars(part.data() + equals + 1, last, value);
    const auto is_it = [&](const SizeParameter& s) { return s.name == name; };
    const auto found = std::find_if(kernel.sizes.begin(), kernel.sizes.end(), is_it);
    const bool elsewhere = std::any_of(known.begin(), known.end(), is_it);
    if (code != std::errc() || rest != last || value < 0 ||
        (found == kernel.sizes.end() && !elsewhere)) {
      throw InvalidArgument(str("--sizes ", text, ": \"", part, "\" does not set a size of ",
                                kernel.definition.name, "; expected ", names));
    }
    if (found != kernel.sizes.end())
      out[static_cast<std::size_t>(found - kernel.sizes.begin())] = value;
    at = end + 1;
  }
  return out;
}

double number_option(const CommandLine& line, const std::string& name, double otherwise) {
  const std::string text = line.value(name, "");
  if (text.empty()) return otherwise;
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !(value > 0))
    throw InvalidArgument(str("--", name, " ", text, " is not a positive number"));
  return value;
}

std::string describe_time(double seconds) {
  const char* units[] = {"s", "ms", "us", "ns"};
  int unit = 0;
  for (; seconds < 1 && unit < 3; ++unit) seconds *= 1000;
  char text[32];
  std::snprintf(text, sizeof text,
                seconds < 10    ? "%.2f %s"
                : seconds < 100 ? "%.1f %s"
                                : "%.0f %s",
                seconds, units[unit]);
  return text;
}

int run_bench(const CommandLine& line, const std::vector<TunableKernel>& known_kernels,
              const Options& options, std::ostream& out) {
  Options on = options;
  on.device = line.value("device", options.device);
  if (line.words.empty()) {
    line.refuse({"sizes", "budget-s", "cpu-time", "text"}, "without a KERNEL");
    return bench_overheads(on, out);
  }
  RaceOptions race{.max_rounds = 101};
  race.budget_seconds = number_option(line, "budget-s", 10);
  std::vector<TunableKernel> kernels = known_kernels;
  if (has_text(line)) kernels = {text_kernel(line, parse_kernel(line.words[0]))};
  std::vector<NamedKernel> named;
  for (const std::string& word : line.words) named.push_back(find_tunable(kernels, word));
  Runtime runtime(on);
  define_kernels(runtime.builder().definitions());
  if (has_text(line))
    define_text(line, parse_kernel(line.words[0]), runtime.builder());
  else
    define_texts(runtime.builder().definitions(), kernels);
  const std::string sizes = line.value("sizes", "");
  std::vector<SizeParameter> known;  // a size may belong to the other kernel only
  for (const NamedKernel& n : named)
    known.insert(known.end(), n.kernel->sizes.begin(), n.kernel->sizes.end());
  std::vector<Side> sides;
  for (const NamedKernel& n : named)
    sides.push_back(make_side(runtime, n, parse_sizes(sizes, *n.kernel, known)));
  const LaunchClock clock =
      line.choice("cpu-time", {"no", "yes"}) == "yes" ? cpu_clock(runtime) : wall_clock(runtime);
  if (sides.size() == 1) return bench_one(sides[0], clock, race, out);
  const Side &a = sides[0], &b = sides[1];
  const Comparison c = compare({&a.workload, a.spec}, {&b.workload, b.spec}, clock, race);
  row('A', a.title, c.a, a.workload.flops, out);
  row('B', b.title, c.b, b.workload.flops, out);
  verdict(c, out);
  return 0;
}

}  // namespace eflow::jit

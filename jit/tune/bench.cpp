#include "eflow/jit/tune/bench.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/jit/host/module.hpp"
#include "eflow/jit/host/subprocess.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel_builder.hpp"

namespace eflow::jit {
namespace {

/// A launch that takes this long, in seconds, needs no separate warm-up.
constexpr double kLongLaunch = 0.02;

std::vector<double> results_of(const Contestant& c) {
  c.workload->clear();
  c.workload->launch(c.spec);
  return c.workload->result();
}

/// Nanoseconds per call: the median over several batches.
template <class F>
double nanoseconds(int calls, F&& call) {
  std::vector<double> samples;
  for (int batch = 0; batch < 15; ++batch) {
    const Stopwatch watch;
    for (int i = 0; i < calls; ++i) call();
    samples.push_back(watch.seconds() / calls * 1e9);
  }
  return median_interval(std::move(samples)).median;
}

constexpr const char* kNothing =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/base/types.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "struct Nothing { long long n; };\n"
    "template <int kN>\n"
    "EFLOW_FN void nothing_at_all(const Block&, const Nothing&) {}\n"
    "template <int kN>\n"
    "void nothing(const Block& block, const Nothing& args) { nothing_at_all<kN>(block, args); }\n"
    "}\n";
struct Nothing {
  long long n;
};

/// Creates a Runtime with the empty kernel's text and prepares the kernel; also returns the total
/// time.
std::unique_ptr<Runtime> start(const Options& options, const KernelRef& kernel, double& seconds,
                               std::string& error) {
  const Stopwatch watch;
  auto runtime = std::make_unique<Runtime>(options);
  runtime->add_text("bench/nothing.h", kNothing);
  runtime->define({.name = "nothing", .text = "bench/nothing.h", .expression = "nothing<$c0>"});
  error = runtime->prepare({kernel})[0].error;
  seconds = watch.seconds();
  return runtime;
}

}  // namespace

LaunchClock wall_clock(const Runtime& runtime) {
  return [&runtime](const Workload& workload, const KernelSpec& spec, int count) {
    const Stopwatch watch;
    for (int i = 0; i < count; ++i) workload.launch(spec);
    runtime.synchronize();
    return watch.seconds();
  };
}

LaunchClock cpu_clock(const Runtime& runtime) {
  const int threads = runtime.pool().size();
  return [threads](const Workload& workload, const KernelSpec& spec, int count) {
    const double begin = process_cpu_seconds();
    for (int i = 0; i < count; ++i) workload.launch(spec);
    return (process_cpu_seconds() - begin) / threads;
  };
}

BatchTimer::BatchTimer(std::vector<Contestant> contestants, LaunchClock clock, double batch_seconds)
    : contestants_(std::move(contestants)),
      launches_(contestants_.size(), 0),
      clock_(std::move(clock)),
      batch_seconds_(batch_seconds) {}

int BatchTimer::find_batch(const Contestant& c) const {
  constexpr int kMost = 1 << 20, kTries = 3;
  for (int count = 1;; count *= 2) {
    // The least of a few: a thread that is descheduled here would get shorter batches than the others,
    // which are interrupted less often and seem faster.
    double seconds = clock_(*c.workload, c.spec, count);
    for (int i = 1; i < kTries && seconds >= batch_seconds_; ++i)
      seconds = std::min(seconds, clock_(*c.workload, c.spec, count));
    if (seconds >= batch_seconds_ || count >= kMost) return count;
  }
}

double BatchTimer::operator()(int contestant) {
  const auto i = static_cast<std::size_t>(contestant);
  const Contestant& c = contestants_[i];
  if (launches_[i] == 0) launches_[i] = find_batch(c);
  // The previous contestant evicted this one's data from the caches.
  if (batch_seconds_ < kLongLaunch || launches_[i] > 1)
    static_cast<void>(clock_(*c.workload, c.spec, 1));
  return clock_(*c.workload, c.spec, launches_[i]) / launches_[i];
}

Comparison compare(const Contestant& a, const Contestant& b, const LaunchClock& clock,
                   const RaceOptions& options) {
  Comparison out;
  out.difference = relative_difference(results_of(a), results_of(b));
  BatchTimer timer({a, b}, clock);
  std::vector<std::vector<double>> samples(2);
  const Stopwatch watch;
  RaceOptions both = options;
  both.min_rounds = std::max(options.min_rounds, 15);  // no early exit: both need samples
  both.close = 0.005;
  run_race(samples, 1,
           {.time = std::ref(timer), .now = [watch] { return watch.seconds(); }, .after_round = {}},
           both);
  out.a = median_interval(samples[0]);
  out.b = median_interval(samples[1]);
  std::vector<double> ratios(std::min(samples[0].size(), samples[1].size()));
  for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] = samples[0][i] / samples[1][i];
  out.ratio = median_interval(std::move(ratios));
  out.gain = 1 - out.ratio.median;
  out.separated = out.ratio.high < 1 || out.ratio.low > 1;
  return out;
}

Overheads measure_overheads(Options options) {
  const ScratchDirectory folder(options.temporary);
  options.cache.named = folder.path().string();
  options.packs.clear();
  const KernelRef kernel("nothing", KernelSpec("nothing", {}, {1}));
  Overheads out;
  const Stopwatch watch;
  { const Runtime runtime(options); }
  out.runtime_s = watch.seconds();
  static_cast<void>(start(options, kernel, out.compile_s, out.error));
  if (!out.error.empty()) return Overheads{.runtime_s = out.runtime_s, .error = out.error};
  const std::unique_ptr<Runtime> runtime = start(options, kernel, out.disk_s, out.error);

  KernelBuilder& builder = runtime->builder();
  const auto hit = [&] { return builder.build(builder.request(kernel, runtime->target()), {}); };
  out.disk_hit_s = nanoseconds(20, hit) * 1e-9;
  if (runtime->target().backend == Backend::kHost) {
    const std::string image = hit().artifact->image;
    out.load_s = nanoseconds(2, [&] { static_cast<void>(load_host_kernel(image)); }) * 1e-9;
  }

  const Nothing args{0};
  const ShapeBucket shape{512, 512};
  std::size_t found = 0;
  out.threads = runtime->pool().size();
  out.lookup_ns = nanoseconds(200'000, [&] { found += runtime->has(kernel.spec); });
  out.tuned_ns = nanoseconds(100'000, [&] {
    found += static_cast<std::size_t>(runtime->tuned("nothing", kernel.spec, shape).constants[0]);
  });
  const auto launch = [&](std::int64_t blocks) {
    return [&, blocks] { runtime->launch("nothing", kernel.spec, {.x = blocks}, args); };
  };
  out.launch_one_ns = nanoseconds(20'000, launch(1));
  out.launch_all_ns = nanoseconds(2'000, launch(out.threads));
  runtime->synchronize();
  if (found != 15u * 300'000u) throw DeviceError("[jit] a prepared kernel was not found");
  return out;
}

}  // namespace eflow::jit

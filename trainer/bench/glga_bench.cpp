#include "eflow/trainer/bench/glga_bench.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/trainer/cost/device_peak.hpp"
#include "eflow/trainer/cost/fma_peak.hpp"

namespace eflow::trainer {
namespace {

using Op = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                      const Tensor&, const GlgaOptions&);

/// Deterministic values in [-1, 1] without an obvious pattern.
Tensor values(const Shape& shape, DType dtype, double seed) {
  std::vector<float> x(static_cast<std::size_t>(element_count(shape)));
  constexpr std::size_t kPeriod = 65521;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = i < kPeriod ? static_cast<float>(std::sin(seed + 12.9898 * static_cast<double>(i)))
                       : x[i - kPeriod];
  }
  return cast(Tensor::from(x, shape), dtype).detach();
}

/// Positions [1, kept] of the tokens to keep: one in each of `kept` equal groups, at an offset that
/// varies from group to group.
Tensor kept_positions(std::int64_t tokens, std::int64_t kept) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(kept));
  for (std::int64_t i = 0; i < kept; ++i) {
    const std::int64_t begin = i * tokens / kept, end = (i + 1) * tokens / kept;
    positions[static_cast<std::size_t>(i)] = begin + i * 7 % (end - begin);
  }
  return Tensor::from(positions, {1, kept});
}

struct Inputs {
  GlgaOptions options;
  std::vector<Tensor> x;  ///< q, k, v, gates, and the weights of both norms
  Tensor dy;

  explicit Inputs(const GlgaBenchCase& c) {
    options.radius = c.window / 2;
    const std::int64_t kept = std::max<std::int64_t>(1, c.tokens * (100 - c.drop) / 100);
    if (kept < c.tokens) {
      options.positions = kept_positions(c.tokens, kept);
      options.kept_percent = static_cast<int>(100 - c.drop);
    }
    const Shape rows{1, kept, c.heads, c.head};
    x = {values(rows, c.dtype, 1),
         values(rows, c.dtype, 2),
         values(rows, c.dtype, 3),
         values({1, kept, 2, 1, 1}, c.dtype, 4),
         values({c.heads * c.head}, c.dtype, 5),
         values({c.heads * c.head}, c.dtype, 6)};
    for (Tensor& t : x) t.set_requires_grad();
    dy = values(rows, c.dtype, 7);
  }
  Tensor run(Op op, const GlgaOptions& how) const {
    return op(x[0], x[1], x[2], x[3], x[4], x[5], how);
  }
};

/// Seconds after all work issued so far: wall-clock time, or CPU time per pool thread
/// (GlgaBenchOptions::cpu_time).
class Clock {
 public:
  explicit Clock(bool cpu_time) : cpu_time_(cpu_time) {}
  double operator()() const {
    default_device()->synchronize({});
    return cpu_time_ ? process_cpu_seconds() / default_device()->runtime().pool().size()
                     : watch_.seconds();
  }

 private:
  bool cpu_time_;
  Stopwatch watch_;
};

struct PassSeconds {
  double forward, backward;
};

PassSeconds once(Op op, const Inputs& in, const Clock& clock) {
  const double begin = clock();
  const Tensor y = in.run(op, in.options);
  const double middle = clock();
  (void)gradients(y, in.x, in.dy);
  return {middle - begin, clock() - middle};
}

/// The fastest of the runs that fit in about 2 * `seconds`: at least two, after one to warm up.
PassSeconds fastest(Op op, const Inputs& in, double seconds, const Clock& clock) {
  (void)once(op, in, clock);
  PassSeconds best{1e30, 1e30};
  const Stopwatch watch;
  for (int i = 0; i < 2 || watch.seconds() < 2 * seconds; ++i) {
    const PassSeconds s = once(op, in, clock);
    best = {std::min(best.forward, s.forward), std::min(best.backward, s.backward)};
  }
  return best;
}

/// Times the forward pass with the radius in the code and as an argument, alternating between them.
void compare_radius(const Inputs& in, double seconds, const Clock& clock, GlgaBench* bench) {
  const NoGrad off;
  GlgaOptions how[2] = {in.options, in.options};
  how[1].radius_in_code = false;
  if (!prepare_glga(in.x[0], in.x[3], how[1], false)) return;
  std::vector<double> samples[2];
  const Stopwatch watch;
  for (int i = 0; i < 7 || (watch.seconds() < 2 * seconds && i < 200); ++i) {
    for (int j = 0; j < 2; ++j) {
      const double start = clock();
      (void)in.run(glga, how[j]);
      if (i > 0) samples[j].push_back(clock() - start);
    }
  }
  bench->in_code = jit::median_interval(samples[0]);
  bench->as_argument = jit::median_interval(samples[1]);
  bench->has_argument = true;
}

}  // namespace

GlgaBench bench_glga(const GlgaBenchCase& c, const GlgaBenchOptions& options) {
  const Inputs in(c);
  const Clock clock(options.cpu_time);
  GlgaBench bench;
  bench.kept = in.x[0].size(1);
  bench.fused = prepare_glga(in.x[0], in.x[3], in.options, true);
  const int threads = default_device()->runtime().pool().size();
  // CPU time does not include waiting for other threads, so the matching peak is that of one thread
  // running alone, times the number of threads.
  const auto peak = [&] {
    return options.cpu_time ? threads * measure_fma_peak(1, options.seconds / 4, c.dtype)
                            : measure_device_peak(options.seconds / 4, c.dtype);
  };
  bench.peak = peak();
  bench.memory_rate = options.cpu_time ? measure_memory_rate(threads, options.seconds / 4)
                                       : measure_device_memory_rate(options.seconds / 4);
  const GlgaCosts costs = glga_costs(in.x[0], in.x[1], in.options);
  const PassSeconds fused = fastest(glga, in, options.seconds, clock);
  bench.forward = {fused.forward, costs.forward};
  bench.backward = {fused.backward, costs.backward};
  // Measured again after the kernels: the peak is the best that the machine reached in this run.
  bench.peak = std::max(bench.peak, peak());
  if (options.composition) {
    const PassSeconds composed = fastest(glga_composition, in, options.seconds, clock);
    bench.forward.composed_seconds = composed.forward;
    bench.backward.composed_seconds = composed.backward;
  }
  if (bench.fused && !in.options.positions.defined())
    compare_radius(in, options.seconds, clock, &bench);
  return bench;
}

}  // namespace eflow::trainer

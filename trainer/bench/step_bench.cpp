#include "eflow/trainer/bench/step_bench.hpp"

#include <algorithm>
#include <tuple>

#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/device_peak.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/setup/objective_config.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {
namespace {

/// A Linear layer [in -> out] that occurs `times` times.
struct Product {
  std::int64_t in, out, times;
};

/// The Linear layers that process every token.
std::vector<Product> products_of(const nn::DiTConfig& c) {
  std::vector<Product> all = {{c.dim, 3 * c.dim, c.blocks()}, {c.dim, c.dim, c.blocks()},
                              {c.dim, c.hidden, c.blocks()},  {c.hidden, c.dim, c.blocks()},
                              {c.patch_values(), c.dim, 1},   {c.dim, c.patch_values(), 1}};
  if (c.long_residual) all.push_back({2 * c.dim, c.dim, 1});
  return all;
}

double seconds_of(const std::function<void()>& work) {
  const Stopwatch watch;
  work();
  default_device()->synchronize({});
  return watch.seconds();
}

double best_seconds(const std::function<void()>& work) {
  work();
  double best = seconds_of(work);
  for (int i = 0; i < 4; ++i) best = std::min(best, seconds_of(work));
  return best;
}

/// Seconds of x w^T alone: `forwards` forward passes and one backward pass, `times` times.
double product_seconds(const Product& product, std::int64_t rows, double forwards, DType dtype) {
  Tensor x = irregular_values({rows, product.in}, dtype);
  Tensor w = irregular_values({product.out, product.in}, dtype);
  const double forward = best_seconds([&] { (void)linear(x, w); });
  x.set_requires_grad();
  w.set_requires_grad();
  const Tensor dy = irregular_values({rows, product.out}, dtype);
  const double both = best_seconds([&] { (void)gradients(linear(x, w), {x, w}, dy); });
  return static_cast<double>(product.times) * (forward * (forwards - 1) + both);
}

/// Seconds of all products of a step on `rows` tokens. Of its `passes`, the backward pass counts as
/// two.
double gemm_seconds(const nn::DiTConfig& config, std::int64_t rows, double passes, DType dtype) {
  double seconds = 0;
  for (const Product& product : products_of(config))
    seconds += product_seconds(product, rows, passes - 2, dtype);
  return seconds;
}

}  // namespace

StepBench bench_step(const Config& config, const io::ClipSource& source, std::int64_t steps,
                     std::shared_ptr<Trace> trace) {
  const ClipFormat clips = describe(source).clips;
  const auto model = make_model(config, clips), average = make_model(config, clips);
  const soflow::EFlowObjective objective(objective_options(config, model->config()));
  const soflow::Networks networks{std::cref(*model), std::cref(*average)};
  const auto loss = [&](const soflow::Batch& part, std::int64_t step, std::int64_t total) {
    return objective(networks, part, step, total);
  };
  Trainer trainer(model.get(), average.get(), loss, &source, trainer_options(config));
  (void)trainer.step();
  std::vector<std::pair<double, StepTimes>> runs;
  for (std::int64_t i = 0; i < steps; ++i) {
    const double seconds = trainer.step().step_s;
    runs.emplace_back(seconds, trainer.times());
  }
  if (trace) {
    default_device()->set_trace(std::move(trace));
    (void)trainer.step();
    default_device()->set_trace(nullptr);
  }
  std::sort(runs.begin(), runs.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });

  StepBench bench;
  std::tie(bench.step_s, bench.times) = runs[runs.size() / 2];
  const nn::DiTConfig& dit = bench.model = model->config();
  const double passes = passes_per_clip(objective.options()),
               batch = static_cast<double>(config.train.batch);
  bench.peak_bytes = default_device()->memory().peak_in_use;
  bench.threads = default_device()->runtime().pool().size();
  bench.peak_gflops = measure_device_peak(0.3, config.train.precision) / 1e9;
  bench.gemm_s =
      gemm_seconds(dit, config.train.batch / config.train.accumulation * dit.grid().count(), passes,
                   config.train.precision) *
      static_cast<double>(config.train.accumulation);
  bench.gflop = batch * step_flops(dit, objective.options(), 0, describe(source).text.length) / 1e9;
  bench.parameters = model->parameter_count();
  bench.tokens = config.train.batch * dit.grid().count();
  return bench;
}

}  // namespace eflow::trainer

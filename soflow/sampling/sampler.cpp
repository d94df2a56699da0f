#include "eflow/soflow/sampling/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/nn/dit/context_memory.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/soflow/objective/times.hpp"

namespace eflow::soflow {
namespace {

/// One step of a sampler for a whole batch.
class Stepper {
 public:
  Stepper(const Network& network, const std::vector<std::int64_t>& ids,
          const nn::Condition& condition, const SampleOptions& options)
      : network_(network), ids_(ids), condition_(condition), options_(options) {}

  /// Step n of the sampler, from time t to `next`.
  [[nodiscard]] Tensor operator()(const Tensor& x, double t, double next, int n) const {
    switch (options_.sampler) {
      case Sampler::kRenoise:
        return noised(solve(network_, x, every(t), every(0), condition_), 0, next, n);
      case Sampler::kCompose:
        return solve(network_, x, every(t), every(next), condition_);
      case Sampler::kEuler:
        return advance(x, evaluate(network_, x, every(t), every(t), condition_), every(t),
                       every(next));
      case Sampler::kBridge: {
        const double u = options_.bridge * next;
        return noised(solve(network_, x, every(t), every(u), condition_), u, next, n);
      }
    }
    return x;
  }

 private:
  [[nodiscard]] PerSample every(double t) const { return PerSample(ids_.size(), t); }

  /// Adds fresh noise to x, from time u <= next to time `next`. The result has the noise variance
  /// next^2 of x_next for every u.
  [[nodiscard]] Tensor noised(const Tensor& x, double u, double next, int n) const {
    if (u == next) return x;
    const double kept = (1 - next) / (1 - u);
    const double fresh = std::sqrt(std::max(0.0, next * next - kept * kept * u * u));
    const RandomKey key{
        .seed = options_.seed, .purpose = kRenoise, .step = static_cast<std::uint64_t>(n)};
    const Tensor z = random_normal(x.shape(), key, ids_, x.dtype(), x.device());
    return x * kept + z * fresh;
  }

  const Network& network_;
  const std::vector<std::int64_t>& ids_;
  const nn::Condition& condition_;
  const SampleOptions& options_;
};

/// Replaces the context of a condition by the null context, and its memory by that of the null
/// context.
void take_null_context(nn::Condition* condition) {
  const Tensor& null = condition->null_context;
  const auto context = [&] {
    return null.defined() ? broadcast_to(null, condition->context.shape())
                          : condition->context * 0.0;
  };
  if (condition->context_memory == nullptr) {
    condition->context = context();
    return;
  }
  std::shared_ptr<nn::ContextMemory>& memory = condition->context_memory->unconditional;
  if (memory == nullptr) memory = std::make_shared<nn::ContextMemory>(context());
  condition->context = memory->context();
  condition->context_memory = memory;
}

/// The unconditional counterpart of a condition.
nn::Condition unconditioned_of(const nn::Condition& condition, Unconditional kind,
                               std::int64_t null_label) {
  nn::Condition unconditioned = condition;
  unconditioned.guidance = {};
  if (condition.context.defined()) take_null_context(&unconditioned);
  if (condition.labels.defined()) {
    const std::vector<std::int64_t> nulls(static_cast<std::size_t>(condition.labels.count()),
                                          null_label);
    unconditioned.labels = Tensor::from(nulls, condition.labels.shape(), condition.labels.device());
  }
  if (kind == Unconditional::kWeakPath) unconditioned.path = nn::Path::kWeak;
  return unconditioned;
}

}  // namespace

Network guided(const Network& network, double w, Unconditional kind, std::int64_t null_label) {
  return [network, w, kind, null_label](const Tensor& x, const Tensor& t, const Tensor& s,
                                        const nn::Condition& condition) {
    const Tensor F = network(x, t, s, condition);
    const Tensor F_uncond = network(x, t, s, unconditioned_of(condition, kind, null_label));
    return F_uncond + (F - F_uncond) * w;
  };
}

std::string_view name_of(Sampler sampler) {
  return enum_name(sampler, kSamplerNames);
}

Sampler sampler_kind(std::string_view name) {
  return enum_from_name<Sampler>("sampler", name, kSamplerNames);
}

std::vector<double> time_grid(int steps, double shift) {
  if (steps < 1) throw InvalidArgument(str("[sample] steps must be at least 1, found ", steps));
  std::vector<double> grid;
  for (int n = steps; n >= 0; --n) {
    grid.push_back(shift_time(static_cast<double>(n) / steps, shift));
  }
  return grid;
}

Tensor sample_noise(const Shape& shape, std::uint64_t seed, const std::vector<std::int64_t>& ids,
                    DType dtype, const DevicePtr& device) {
  return random_normal(shape, {.seed = seed, .purpose = kSampleNoise}, ids, dtype, device);
}

std::optional<Tensor> sample(const Network& network, const Tensor& x1,
                             const std::vector<std::int64_t>& ids, const nn::Condition& condition,
                             const SampleOptions& options) {
  if (x1.size(0) != static_cast<std::int64_t>(ids.size())) {
    throw ShapeError(
        str("[sample] x1 has ", x1.size(0), " samples, but there are ", ids.size(), " ids"));
  }
  const NoGrad off;
  const std::vector<double> grid = time_grid(options.steps, options.shift);
  nn::Condition remembered = condition;
  if (condition.context.defined() && condition.context_memory == nullptr && options.steps > 1)
    remembered.context_memory = std::make_shared<nn::ContextMemory>(condition.context);
  const Stepper step(network, ids, remembered, options);
  Tensor x = x1;
  for (int n = 0; n < options.steps; ++n) {
    const auto i = static_cast<std::size_t>(n);
    x = step(x, grid[i], grid[i + 1], n);
    if (options.progress && !options.progress(n + 1, options.steps)) return std::nullopt;
  }
  return x;
}

}  // namespace eflow::soflow

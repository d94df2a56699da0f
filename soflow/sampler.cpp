#include "eflow/soflow/sampler.hpp"

#include "eflow/base/error.hpp"
#include "eflow/nn/named_enum.hpp"
#include "eflow/soflow/interpolant.hpp"
#include "eflow/soflow/purpose.hpp"
#include "eflow/soflow/times.hpp"

namespace eflow::soflow {
namespace {

constexpr std::array<std::string_view, 3> kSamplerNames = {"renoise", "compose", "euler"};

/// One step of one sampler for a whole batch.
class Stepper {
 public:
  Stepper(const Network& network, const std::vector<std::int64_t>& ids,
          const nn::Condition& condition, const SampleOptions& options)
      : network_(network), ids_(ids), condition_(condition), options_(options) {}

  /// From time t to `next`, step `n` of the sampler.
  [[nodiscard]] Tensor operator()(const Tensor& x, double t, double next, int n) const {
    switch (options_.sampler) {
      case Sampler::kRenoise:
        return renoise(solve(network_, x, all(t), all(0), condition_), next, n);
      case Sampler::kCompose:
        return solve(network_, x, all(t), all(next), condition_);
      case Sampler::kEuler:
        return advance(x, evaluate(network_, x, all(t), all(t), condition_), all(t), all(next));
    }
    return x;
  }

 private:
  [[nodiscard]] PerSample all(double t) const { return PerSample(ids_.size(), t); }

  [[nodiscard]] Tensor renoise(const Tensor& x0, double next, int n) const {
    if (next == 0) return x0;
    const RandomKey key{
        .seed = options_.seed, .purpose = kRenoise, .step = static_cast<std::uint64_t>(n)};
    const Tensor z = random_normal(x0.shape(), key, ids_, x0.dtype(), x0.device());
    return interpolate(x0, z, all(next));
  }

  const Network& network_;
  const std::vector<std::int64_t>& ids_;
  const nn::Condition& condition_;
  const SampleOptions& options_;
};

}  // namespace

std::string_view name_of(Sampler sampler) {
  return kSamplerNames[static_cast<std::size_t>(sampler)];
}

Sampler sampler_kind(std::string_view name) {
  return nn::enum_from_name<Sampler>("sampler", name, kSamplerNames);
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
    throw ShapeError(str("[sample] noise for ", x1.size(0), " samples, but ", ids.size(), " ids"));
  }
  const NoGrad off;
  const std::vector<double> grid = time_grid(options.steps, options.shift);
  const Stepper step(network, ids, condition, options);
  Tensor x = x1;
  for (int n = 0; n < options.steps; ++n) {
    const auto i = static_cast<std::size_t>(n);
    x = step(x, grid[i], grid[i + 1], n);
    if (options.progress && !options.progress(n + 1, options.steps)) return std::nullopt;
  }
  return x;
}

}  // namespace eflow::soflow

#include "eflow/soflow/exact/exact_errors.hpp"

#include <cmath>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/soflow/objective/times.hpp"

namespace eflow::soflow {
namespace {

constexpr std::int64_t kFirstClip = std::int64_t{1} << 40;  // beyond every training index
constexpr int kGridSteps = 8;

double mean_square_all(const Tensor& x) {
  return sum_of_squares({contiguous(x)}) / static_cast<double>(x.count());
}

/// Evaluation clips with their noise and condition, and the predictions of both networks.
class Bench {
 public:
  Bench(const Network& network, const ExactFlow& flow, const ExactErrorOptions& options)
      : network_(network), flow_(flow), exact_(flow.network()), options_(options) {
    ids_.resize(static_cast<std::size_t>(options.clips));
    std::iota(ids_.begin(), ids_.end(), kFirstClip);
    draw();
    const RandomKey key{.seed = options.seed, .purpose = kExactNoise};
    x1_ = random_normal(x0_.shape(), key, ids_);
    if (flow.context_size() > 0 || options.tell_w)
      exact_condition_.guidance = Tensor::full({options.clips}, options.w);
    if (options.tell_w) learned_condition_.guidance = exact_condition_.guidance;
  }

  [[nodiscard]] ExactErrors::At velocity(double t) const { return map(t, t); }
  [[nodiscard]] ExactErrors::At weak_velocity(double t) const {
    nn::Condition exact_weak = exact_condition_, weak;
    exact_weak.path = weak.path = nn::Path::kWeak;
    weak.context = learned_condition_.context * 0.0;
    const Tensor x = at(t);
    const PerSample times = all(t);
    return compare(evaluate(exact_, x, times, times, exact_weak),
                   evaluate(network_, x, times, times, weak), t, t);
  }
  [[nodiscard]] ExactErrors::At map(double t, double s) const {
    const Tensor x = at(t);
    return compare(exact(x, t, s), learned(x, t, s), t, s);
  }

  [[nodiscard]] double defect(const PerSample& t, const PerSample& l, const PerSample& s) const {
    const Tensor x = interpolate(x0_, x1_, t);
    const Tensor two =
        solve(network_, solve(network_, x, t, l, learned_condition_), l, s, learned_condition_);
    return mean_square_all(two - solve(network_, x, t, s, learned_condition_));
  }
  [[nodiscard]] double defect(double t, double l, double s) const {
    return defect(all(t), all(l), all(s));
  }
  [[nodiscard]] double random_defect() const {
    const JumpLaw law{.nodes = 64, .shift = options_.shift};
    const auto [t, l, s] = draw_jumps(law, {.seed = options_.seed, .purpose = kJump}, ids_);
    return defect(t, l, s);
  }

  [[nodiscard]] ExactErrors::Samples samples(Sampler sampler, int steps) const {
    const SampleOptions options{sampler, steps, options_.shift, options_.seed, {}};
    const Tensor found = *sample(network_, x1_, ids_, learned_condition_, options);
    return endpoint_errors(found,
                           sampler == Sampler::kEuler
                               ? exact_end()
                               : *sample(exact_, x1_, ids_, exact_condition_, options),
                           sampler, steps);
  }
  [[nodiscard]] ExactErrors::Samples exact_euler(int steps) const {
    const SampleOptions options{Sampler::kEuler, steps, options_.shift, options_.seed, {}};
    return endpoint_errors(*sample(exact_, x1_, ids_, exact_condition_, options), exact_end(),
                           Sampler::kEuler, steps);
  }
  [[nodiscard]] ExactErrors::Gap gap() const {
    const Tensor found = learned(x1_, 1, 0) - learned(x1_, 1, 1),
                 needed = exact(x1_, 1, 0) - exact(x1_, 1, 1);
    const double size = std::sqrt(mean_square_all(needed));
    return {std::sqrt(mean_square_all(found)), size,
            std::sqrt(mean_square_all(found - needed)) / size};
  }
  [[nodiscard]] ExactErrors::Samples floor() const { return statistics(exact_end()); }

 private:
  void draw() {
    const auto size = static_cast<std::size_t>(flow_.basis().size());
    const auto context_size = static_cast<std::size_t>(flow_.context_size());
    std::vector<double> clips(ids_.size() * size), contexts(ids_.size() * context_size);
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      flow_.draw(ids_[i], {clips.data() + i * size, size},
                 {contexts.data() + i * context_size, context_size});
    }
    Shape shape = flow_.options().clip;
    shape.insert(0, options_.clips);
    x0_ = cast(Tensor::from(clips, shape), DType::kF32);
    if (context_size == 0) return;
    Shape context_shape = flow_.context_shape();
    context_shape.insert(0, options_.clips);
    learned_condition_.context = cast(Tensor::from(contexts, context_shape), DType::kF32);
    exact_condition_.context = learned_condition_.context;
  }

  /// The exact flow's endpoint at time 0.
  [[nodiscard]] Tensor exact_end() const {
    return *sample(exact_, x1_, ids_, exact_condition_, {.sampler = Sampler::kCompose, .steps = 1});
  }
  [[nodiscard]] ExactErrors::Samples endpoint_errors(const Tensor& found, const Tensor& expected,
                                                     Sampler sampler, int steps) const {
    ExactErrors::Samples result = statistics(found);
    result.sampler = sampler;
    result.steps = steps;
    result.error = mean_square_all(found - expected);
    result.relative = result.error / mean_square_all(x1_ - expected);
    return result;
  }

  [[nodiscard]] PerSample all(double t) const { return PerSample(ids_.size(), t); }
  [[nodiscard]] Tensor at(double t) const { return interpolate(x0_, x1_, all(t)); }
  [[nodiscard]] Tensor learned(const Tensor& x, double t, double s) const {
    return evaluate(network_, x, all(t), all(s), learned_condition_);
  }
  [[nodiscard]] Tensor exact(const Tensor& x, double t, double s) const {
    return evaluate(exact_, x, all(t), all(s), exact_condition_);
  }

  /// Compares mean velocities F. A jump's error is that of its solution, (t - s)^2 times as large.
  [[nodiscard]] ExactErrors::At compare(const Tensor& expected, const Tensor& found, double t,
                                        double s) const {
    const double factor = t == s ? 1 : (t - s) * (t - s);
    const double error = mean_square_all(found - expected), size = mean_square_all(expected);
    return {t, s, error * factor, error / size};
  }

  /// Second moments of clips in cosine coordinates, against the exact ones.
  [[nodiscard]] ExactErrors::Samples statistics(const Tensor& clips) const {
    auto values = clips.to_vector<double>();
    const std::size_t size = flow_.means().size(), count = ids_.size();
    std::vector<double> sums(size), squares(size);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<double> clip(values.data() + i * size, size);
      flow_.basis().to_coordinates(clip);
      for (std::size_t k = 0; k < size; ++k) {
        sums[k] += clip[k] - flow_.means()[k];
        squares[k] += (clip[k] - flow_.means()[k]) * (clip[k] - flow_.means()[k]);
      }
    }
    const auto n = static_cast<double>(count);
    const std::vector<double> truth = flow_.sample_variances(options_.w);
    ExactErrors::Samples result;
    double error = 0, scale = 0;
    for (std::size_t k = 0; k < size; ++k) {
      const double mean = sums[k] / n, variance = (squares[k] - n * mean * mean) / (n - 1);
      const double deviation_error = std::sqrt(variance) - std::sqrt(truth[k]);
      error += (variance - truth[k]) * (variance - truth[k]);
      scale += truth[k] * truth[k];
      result.wasserstein +=
          (mean * mean + deviation_error * deviation_error) / static_cast<double>(size);
    }
    result.covariance = error / scale;
    return result;
  }

  const Network& network_;
  const ExactFlow& flow_;
  Network exact_;
  ExactErrorOptions options_;
  std::vector<std::int64_t> ids_;
  Tensor x0_, x1_;
  nn::Condition learned_condition_, exact_condition_;
};

}  // namespace

ExactErrors exact_errors(const Network& network, const ExactFlow& flow,
                         const ExactErrorOptions& options) {
  const NoGrad off;
  const Bench bench(network, flow, options);
  const std::vector<double> grid = time_grid(kGridSteps, options.shift);
  ExactErrors errors;
  for (const double t : {0.1, 0.3, 0.5, 0.7, 0.9, 1.0}) {
    errors.velocity.push_back(bench.velocity(t));
    if (flow.context_size() > 0) errors.weak_velocity.push_back(bench.weak_velocity(t));
  }
  for (const double t : {1.0, 0.75, 0.5, 0.25}) {
    for (const double s : {0.75, 0.5, 0.25, 0.0}) {
      if (s < t) errors.map.push_back(bench.map(t, s));
    }
  }
  for (std::size_t n = 1; n < kGridSteps; ++n) {
    errors.grid_defect += bench.defect(grid[n - 1], grid[n], grid[n + 1]) / (kGridSteps - 1);
    errors.endpoint_defect += bench.defect(1, grid[n], 0) / (kGridSteps - 1);
  }
  errors.random_defect = bench.random_defect();
  errors.gap = bench.gap();
  for (const int steps : options.steps) errors.exact_euler.push_back(bench.exact_euler(steps));
  for (const Sampler sampler : {Sampler::kRenoise, Sampler::kCompose, Sampler::kEuler}) {
    for (const int steps : options.steps) errors.samples.push_back(bench.samples(sampler, steps));
  }
  errors.floor = bench.floor();
  return errors;
}

}  // namespace eflow::soflow

// Your own data, model and objective in eflow's trainer: flow matching of points on a circle by a
// small MLP. The loss falls, and the samples end on the circle.
#include <cmath>
#include <cstdio>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/times.hpp"
#include "eflow/soflow/sampling/sampler.hpp"
#include "eflow/trainer/step/trainer.hpp"

using namespace eflow;

/// A clip may have any shape [C, T, H, W]; here it is a point of the plane.
class Circle : public io::ClipSource {
 public:
  std::int64_t size() const override { return 4096; }
  Shape clip_shape() const override { return {2, 1, 1, 1}; }
  std::int64_t class_count() const override { return 0; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    clip[0] = static_cast<float>(std::cos(2 * M_PI * static_cast<double>(index) / 4096));
    clip[1] = static_cast<float>(std::sin(2 * M_PI * static_cast<double>(index) / 4096));
    return 0;
  }
};

/// The velocity at (x, t): x [B, 2, 1, 1, 1], t [B].
class Mlp : public nn::Module {
 public:
  explicit Mlp(const nn::Scope& scope) : Module(scope) {}
  Tensor operator()(const Tensor& x, const Tensor& t) const {
    const Tensor in = concat({reshape(x, {-1, 2}), reshape(t, {-1, 1})}, 1);
    return reshape(out_(silu(middle_(silu(in_(in))))), x.shape());
  }

 private:
  nn::Linear in_{child("in"), 3, 128}, middle_{child("middle"), 128, 128},
      out_{child("out"), 128, 2};
};

int main() {
  constexpr std::uint64_t kSeed = 7;
  const nn::Scope scope({.seed = kSeed, .purpose = nn::kInitPurpose});
  Mlp model(scope), average(scope);
  const Circle data;

  // Mean |F(x_t, t) - (x1 - x0)|^2. All random numbers are functions of (seed, step, sample), so a
  // resumed run draws the same ones.
  const auto objective = [&](const soflow::Batch& part, std::int64_t step, std::int64_t total) {
    const RandomKey noise{kSeed, 100, static_cast<std::uint64_t>(step)};
    const RandomKey times{kSeed, 101, static_cast<std::uint64_t>(step)};
    const Tensor x1 = random_normal(part.x0.shape(), noise, part.indices);
    const auto t = soflow::draw_times({}, times, part.indices);
    const Tensor f = model(soflow::interpolate(part.x0, x1, t), soflow::as_times(t, x1));
    const Tensor error = square(f - soflow::path_velocity(part.x0, x1));
    return soflow::StepLoss{sum(error) / static_cast<double>(2 * total), {}};
  };

  trainer::TrainerOptions options{.batch = 256, .seed = kSeed};
  options.learning_rate = {.peak = 4e-3, .curve = nn::Curve::kCosine, .total = 2000};
  trainer::Trainer trainer(&model, &average, objective, &data, options);
  for (int step = 1; step <= 2000; ++step) {
    const double loss = trainer.step().loss;
    if (step % 400 == 0) std::printf("step %d  loss %.3f\n", step, loss);
  }

  std::vector<std::int64_t> ids(512);
  std::iota(ids.begin(), ids.end(), 0);
  const Tensor x1 = soflow::sample_noise({512, 2, 1, 1, 1}, kSeed, ids);
  const auto network = [&](const Tensor& x, const Tensor& t, auto&&...) { return average(x, t); };
  const auto x0 = soflow::sample(network, x1, ids, {}, {soflow::Sampler::kEuler, 32}).value();
  const auto points = x0.to_vector<float>();
  double distance = 0;
  for (std::size_t i = 0; i < points.size(); i += 2) {
    distance += std::abs(std::hypot(points[i], points[i + 1]) - 1) / 512;
  }
  std::printf("mean distance of samples from the circle: %.3f\n", distance);
  return distance < 0.2 ? 0 : 1;
}

// AnyFlow's two stages on data whose flow is known exactly: forward training of a flow map, then
// correction on its own rollouts by a teacher (here the exact velocity) and a learned score of its
// samples. After each stage, prints the error of N composed steps relative to the exact flow:
//   050_on_policy [STEPS_OF_STAGE_1 [STEPS_OF_STAGE_2]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/nn/optim/adamw.hpp"
#include "eflow/nn/optim/ema.hpp"
#include "eflow/nn/optim/grad_clip.hpp"
#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/soflow/anyflow/on_policy_objective.hpp"
#include "eflow/soflow/exact/exact_errors.hpp"

using namespace eflow;

namespace {

constexpr std::uint64_t kSeed = 5;
constexpr std::int64_t kBatch = 32;
constexpr double kShift = 5;

nn::DiTConfig config_for(const Shape& clip) {
  nn::DiTConfig c;
  c.channels = clip[0], c.frames = clip[1], c.height = clip[2], c.width = clip[3];
  c.patch = {1, 2, 2};
  c.dim = 64, c.heads = 2, c.hidden = 256;
  c.encoder = 1, c.middle = 2, c.decoder = 1;
  c.attention = nn::AttentionKind::kSoftmax;
  c.position_table = true;
  return c;
}

/// A network with its optimizer.
struct Learner {
  nn::VideoDiT model;
  nn::AdamW optimizer;
  Learner(const Shape& clip, nn::AdamWOptions options)
      : model(nn::Scope({.seed = kSeed}), config_for(clip)),
        optimizer(model.parameters(), options) {}
  void learn(const Tensor& loss, double rate) {
    model.clear_gradients();
    backward(loss);
    optimizer.step(rate, nn::clip_factor(nn::gradient_norm(model.parameters()), 1));
    model.clear_gradients();
  }
};

soflow::Batch batch_at(const soflow::ExactFlow& flow, std::int64_t step) {
  const auto size = static_cast<std::size_t>(flow.basis().size());
  soflow::Batch batch;
  batch.indices.resize(kBatch);
  std::iota(batch.indices.begin(), batch.indices.end(), step * kBatch);
  std::vector<double> clips(kBatch * size);
  for (std::size_t i = 0; i < kBatch; ++i)
    flow.draw(batch.indices[i], {clips.data() + i * size, size}, {});
  Shape shape = flow.options().clip;
  shape.insert(0, kBatch);
  batch.x0 = cast(Tensor::from(clips, shape), DType::kF32);
  return batch;
}

void report(const char* stage, const nn::VideoDiT& model, const soflow::ExactFlow& flow) {
  const auto errors = soflow::exact_errors(std::cref(model), flow,
                                           {.clips = 256, .shift = kShift, .steps = {1, 2, 4, 8}});
  std::printf("%s\n", stage);
  for (const auto& s : errors.samples) {
    if (s.sampler != soflow::Sampler::kCompose) continue;
    std::printf("  N = %d  relative error %.4f  covariance %.4f (floor %.4f)  W2^2 %.5f (%.5f)\n",
                s.steps, s.relative, s.covariance, errors.floor.covariance, s.wasserstein,
                errors.floor.wasserstein);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t first = argc > 1 ? std::atoll(argv[1]) : 3000;
  const std::int64_t second = argc > 2 ? std::atoll(argv[2]) : 600;
  const soflow::ExactFlow flow({.kind = soflow::ExactKind::kGaussian, .clip = {2, 4, 4, 4}});
  const Shape clip = flow.options().clip;

  // Stage 1: forward flow-map training. Its result also initialises the score of stage 2.
  Learner student(clip, {});
  nn::VideoDiT average(nn::Scope({.seed = kSeed}), config_for(clip));
  nn::Ema ema(average.parameters(), student.model.parameters(), {.decay = 0.998});
  const soflow::AnyFlowObjective forward({.guidance = 1, .label_drop = 0, .seed = kSeed});
  for (std::int64_t step = 0; step < first; ++step) {
    const double warm = std::min(1.0, static_cast<double>(step + 1) / 200);
    const auto loss = forward(std::cref(student.model), batch_at(flow, step), step);
    student.learn(loss.total, 2e-3 * warm);
    ema.update();
  }
  report("after stage 1", average, flow);

  // Stage 2: distribution matching on the student's own rollouts, plus stage 1's loss on data.
  Learner fake(clip, {.beta1 = 0, .beta2 = 0.999}), on_policy(clip, {.beta1 = 0, .beta2 = 0.999});
  on_policy.model.load_state(average.state());
  fake.model.load_state(average.state());
  nn::Ema late(average.parameters(), on_policy.model.parameters(), {.decay = 0.99});
  const soflow::OnPolicyObjective objective({.rollouts = {2, 4, 8, 16}, .seed = kSeed});
  const soflow::RollOut roll_out =
      soflow::simulated_rollout(std::cref(on_policy.model), objective.options());
  const soflow::Scores scores{std::cref(fake.model), flow.network()};
  for (std::int64_t step = 0; step < second; ++step) {
    const soflow::Batch batch = batch_at(flow, first + step);
    const Tensor matching = objective.student(roll_out, scores, batch, step).total;
    on_policy.learn(matching + forward(std::cref(on_policy.model), batch, first + step).total,
                    1e-4);
    late.update();
    fake.learn(objective.fake(roll_out, scores, batch, step).total, 2e-4);
  }
  report("after stage 2", average, flow);
}

#include "eflow/trainer/bench/ladder.hpp"

#include <algorithm>

#include "eflow/core/base/noise.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/setup/objective_config.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {
namespace {

/// Noise in the shape of latents: 16 channels, ten classes.
class NoiseSource final : public io::ClipSource {
 public:
  explicit NoiseSource(const LadderOptions& o) : shape_{16, o.frames, 2 * o.side, 2 * o.side} {}
  [[nodiscard]] std::int64_t size() const override { return 1 << 16; }
  [[nodiscard]] Shape clip_shape() const override { return shape_; }
  [[nodiscard]] std::int64_t class_count() const override { return 10; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    fill_with_noise(clip, static_cast<std::uint32_t>(index) + 1);
    return static_cast<std::int32_t>(index % 10);
  }

 private:
  Shape shape_;
};

/// Networks, trainer and measured step times of one rung.
struct Bench {
  Bench(const RungConfig& rung, const io::ClipSource& source)
      : name(rung.name),
        paper_its(rung.paper_its),
        model(make_model(rung.config, describe(source).clips)),
        average(make_model(rung.config, describe(source).clips)),
        objective(objective_options(rung.config, model->config())),
        trainer(
            model.get(), average.get(),
            [this](const soflow::Batch& part, std::int64_t step, std::int64_t total) {
              return objective({std::cref(*model), std::cref(*average)}, part, step, total);
            },
            &source, trainer_options(rung.config)) {
    const double ratio = objective.options().drop.share();
    model->prepare(true, ratio);
    average->prepare(false, ratio);
  }
  std::string name;
  double paper_its;
  std::unique_ptr<nn::VideoDiT> model, average;
  soflow::EFlowObjective objective;
  Trainer trainer;
  std::vector<double> seconds;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Median seconds of one forward pass of one clip, without gradients.
double forward_seconds(const nn::VideoDiT& model, std::int64_t calls) {
  const NoGrad off;
  const nn::DiTConfig& c = model.config();
  const Tensor x = Tensor::zeros({1, c.channels, c.frames, c.height, c.width});
  const Tensor t = Tensor::full({1}, 0.5), s = Tensor::zeros({1});
  std::vector<double> seconds;
  (void)model(x, t, s).to_vector<float>();
  for (std::int64_t i = 0; i < calls; ++i) {
    const Stopwatch watch;
    (void)model(x, t, s).to_vector<float>();
    seconds.push_back(watch.seconds());
  }
  return median(seconds);
}

}  // namespace

std::vector<RungConfig> ladder_configs(const LadderOptions& o) {
  Config c;
  c.model.dim = o.width;
  c.model.heads = o.heads;
  c.model.encoder = o.encoder;
  c.model.middle = o.middle;
  c.model.decoder = o.decoder;
  c.model.mlp_ratio = 5;
  c.model.patch = {1, 2, 2};
  c.model.attention = nn::AttentionKind::kSoftmax;
  c.model.window_frames = 4;
  c.model.position_table = false;
  c.model.prediction = nn::Prediction::kVelocity;
  c.train.batch = o.batch;
  c.objective.fm_share = 1;
  c.guidance.label_drop = 0;
  std::vector<RungConfig> rungs;
  const auto add = [&](const char* name, double its) { rungs.push_back({name, its, c}); };
  add("FM, softmax", 0.067);
  c.objective.fm_share = 0.75;
  c.guidance.scale = 3;
  add("+ solution consistency, guidance by the null label", 0.042);
  c.mva.share = 0.25;
  add("+ additivity", 0.037);
  c.model.attention = nn::AttentionKind::kGated;
  c.model.softmax_every = 8;
  add("+ GLGA", 0.051);
  c.guidance.kind = soflow::Unconditional::kWeakPath;
  c.guidance.scale_max = 4.5;
  c.guidance.embed = true;
  c.guidance.scale = 2.5;
  add("+ path-drop guidance", 0.061);
  c.drop.kind = soflow::DropKind::kGroups3d;
  add("+ 75 % of the tokens dropped", 0.105);
  return rungs;
}

Ladder measure_ladder(const LadderOptions& options) {
  const NoiseSource source(options);
  std::vector<std::unique_ptr<Bench>> benches;
  for (const RungConfig& rung : ladder_configs(options))
    benches.push_back(std::make_unique<Bench>(rung, source));
  for (std::int64_t round = -1; round < options.rounds; ++round) {
    for (const auto& bench : benches) {
      const double seconds = bench->trainer.step().step_s;
      if (round >= 0) bench->seconds.push_back(seconds);
    }
  }
  Ladder ladder;
  for (const auto& bench : benches) {
    const nn::DiTConfig& model = bench->model->config();
    const soflow::ObjectiveOptions& objective = bench->objective.options();
    const double weak =
        forward_flops(model, 0).total() / forward_flops(model, objective.kept_at(0)).total();
    ladder.rungs.push_back(
        {bench->name, median(bench->seconds),
         static_cast<double>(options.batch) * step_flops(model, objective, 0) / 1e9,
         passes_per_clip(objective, 0, {1, weak}), bench->paper_its});
  }
  ladder.softmax_s = forward_seconds(*benches.front()->model, options.calls);
  ladder.glga_s = forward_seconds(*benches.back()->model, options.calls);
  ladder.parameters = benches.back()->model->parameter_count();
  ladder.tokens = benches.back()->model->config().grid().count();
  ladder.threads = default_device()->runtime().pool().size();
  return ladder;
}

}  // namespace eflow::trainer

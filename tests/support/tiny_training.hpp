#pragma once
// The whole training recipe on a model of a few thousand weights, for device tests.

#include <cmath>

#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/ranks/rank_grid.hpp"
#include "eflow/trainer/setup/objective_config.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::test {

/// 64 clips of waves, in four classes. Clip `spiked`, if there is one, has a loss that is not finite.
class Waves final : public io::ClipSource {
 public:
  std::int64_t spiked = -1;
  [[nodiscard]] std::int64_t size() const override { return 64; }
  [[nodiscard]] Shape clip_shape() const override { return {3, 4, 8, 8}; }
  [[nodiscard]] std::int64_t class_count() const override { return 4; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    const auto label = static_cast<std::int32_t>(index % 4);
    for (std::size_t i = 0; i < clip.size(); ++i) {
      const double phase = 0.1 * static_cast<double>(i) * (1 + label) + static_cast<double>(index);
      clip[i] = index == spiked ? 1e30f : static_cast<float>(std::sin(phase));
    }
    return label;
  }
};

/// Runs on the device that is the default at construction; the default must not change.
struct TinyTraining {
  explicit TinyTraining(trainer::Config c = config("f32"), comm::Communicator* others = nullptr)
      : given(std::move(c)), ranks(others) {}

  /// With token dropping, guidance and additivity.
  static trainer::Config config(const char* precision) {
    trainer::Config c;
    c.train.precision = *dtype_from_name(precision);
    c.model.preset = "tiny";
    trainer::apply_preset(&c, [](const std::string&) { return false; });
    c.train.batch = 4;
    c.train.iterations = 100;
    c.optim.lr.peak = 1e-3;
    c.optim.lr.warmup = 0;
    c.mva.share = 0.25;
    return c;
  }

  trainer::Config given;
  comm::Communicator alone;
  comm::Communicator* ranks;
  Waves source;
  trainer::ClipFormat format{3, 4, 8, 8, 4};
  std::unique_ptr<nn::VideoDiT> model = trainer::make_model(given, format),
                                average = trainer::make_model(given, format);
  trainer::RankGrid grid{ranks != nullptr ? ranks : &alone, given.train.sequence};
  bool divided = divide();
  soflow::EFlowObjective objective{trainer::objective_options(given, model->config())};
  trainer::Trainer run{
      model.get(), average.get(),
      [this](const soflow::Batch& part, std::int64_t step, std::int64_t total) {
        return objective({std::cref(*model), std::cref(*average)}, part, step, total);
      },
      &source, options()};

 private:
  bool divide() {
    model->divide_clips(grid.lane_ranks());
    average->divide_clips(grid.lane_ranks());
    return grid.lane_ranks() != nullptr;
  }
  [[nodiscard]] trainer::TrainerOptions options() const {
    trainer::TrainerOptions all = trainer::trainer_options(given);
    all.ranks = ranks;
    return all;
  }
};

}  // namespace eflow::test

#include "eflow/trainer/run/evaluation.hpp"

#include <functional>
#include <string>
#include <vector>

#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/ranks/divided_work.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/run/preview.hpp"

namespace eflow::trainer {

bool is_due(std::int64_t step, std::int64_t every, std::int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

Evaluation::Evaluation(const Config& config, const Parts& parts, const RankGrid& grid)
    : config_(config), parts_(parts), grid_(grid) {
  const DataSets& data = parts.data;
  if (data.held_out && config.eval.every > 0) {
    held_out_.emplace(*data.held_out, config.eval.clips, config.objective.t, grid.lane(),
                      grid.lanes());
  }
  if (config.sample.every > 0)
    contexts_ =
        choose_contexts(data.held_out ? *data.held_out : *data.training, config.sample.count);
}

void Evaluation::measure(StepMetrics* metrics) {
  const std::int64_t step = metrics->step;
  if (!held_out_ || !is_due(step, config_.eval.every, config_.train.iterations)) return;
  parts_.trainer.gather_average();
  const auto errors = divide_work<double>(grid_, {"held-out error", step}, [&] {
    return held_out_->errors(std::cref(*parts_.average), parts_.objective.options().guidance);
  });
  errors_.attempt(str("could not measure the held-out error of step ", step),
                  [&] { metrics->eval_mse = HeldOutError::mean(errors.values()); });
}

void Evaluation::preview(std::int64_t step, const RunDirectory& directory) {
  if (!is_due(step, config_.sample.every, config_.train.iterations)) return;
  parts_.trainer.gather_average();
  const comm::ShardRange own = comm::slice_of(grid_.lane(), grid_.lanes(), config_.sample.count);
  const auto values = divide_work<float>(grid_, {"preview", step}, [&] {
    return preview_clips(*parts_.average, config_, parts_.data.info, contexts_, own.first,
                         own.count())
        .values;
  });
  if (!grid_.all().is_first()) return;
  previews_.attempt(str("could not write the preview of step ", step),
                    [&] { write_pictures_of(step, values.values(), directory); });
}

void Evaluation::write_pictures_of(std::int64_t step, const std::vector<float>& values,
                                   const RunDirectory& directory) const {
  const nn::DiTConfig& model = parts_.model->config();
  GeneratedClips clips{.values = values};
  clips.shape = {config_.sample.count, model.channels, model.frames, model.height, model.width};
  make_directories(directory.samples());
  const std::string stem = directory.preview(step).string();
  const DataInfo& data = parts_.data.info;
  write_pictures(clips, data.fps, stem + ".png", stem + ".webp", data.rgb);
}

}  // namespace eflow::trainer

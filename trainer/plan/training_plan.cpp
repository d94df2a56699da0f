#include "eflow/trainer/plan/training_plan.hpp"

#include <algorithm>
#include <cmath>
#include <locale>
#include <sstream>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/number_text.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/device_peak.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/data/assumed_clips.hpp"
#include "eflow/trainer/data/buckets.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/plan/rank_plan.hpp"
#include "eflow/trainer/run/resume.hpp"
#include "eflow/trainer/setup/objective_config.hpp"
#include "eflow/trainer/setup/training_memory.hpp"
#include "eflow/trainer/setup/unused_options.hpp"

namespace eflow::trainer {
namespace {

std::string describe_flops(double flops) {
  const char* units[] = {"GFLOP", "TFLOP", "PFLOP"};
  const int unit = flops < 1e12 ? 0 : flops < 1e15 ? 1 : 2;
  return str(short_text(flops / std::pow(1000.0, 3 + unit), 4), " ", units[unit]);
}

/// The cost model: forward passes per clip (a backward pass counts as two), relative to plain flow
/// matching.
std::string describe_passes(const nn::DiTConfig& model, const soflow::ObjectiveOptions& objective,
                            std::int64_t step, std::int64_t text) {
  const double full = forward_flops(model, objective.kept_at(step), text).total();
  const double weak = forward_flops(model, 0, text).total() / full;
  const double passes = passes_per_clip(objective, step, {1, weak});
  std::ostringstream line;
  line.imbue(std::locale::classic());
  line.precision(3);
  line << passes << " forwards per clip, " << passes / 3 << " times plain flow matching";
  if (objective.guidance.kind == soflow::Unconditional::kWeakPath)
    line << " (a weak-path forward counts as " << weak << ")";
  return line.str();
}

/// Cost of a step of an AnyFlow stage.
std::string describe_anyflow(const Config& config, const nn::DiTConfig& model,
                             std::int64_t text_tokens) {
  const double passes = anyflow_passes(config, model);
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(3);
  text << "each step    "
       << describe_flops(static_cast<double>(config.train.batch) * passes *
                         forward_flops(model, -1, text_tokens).total())
       << ", " << passes << " forwards per clip, " << passes / 3 << " times plain flow matching\n";
  return text.str();
}

std::string describe_step(const Config& config, const nn::DiTConfig& model,
                          const soflow::ObjectiveOptions& objective, std::int64_t step,
                          std::int64_t text) {
  const double flops =
      static_cast<double>(config.train.batch) * step_flops(model, objective, step, text);
  return str(describe_flops(flops), ", ", objective.kept_at(step), " of ", model.grid().count(),
             " tokens in the middle blocks, ", describe_passes(model, objective, step, text), "\n");
}

std::string describe_model(const nn::DiTConfig& model) {
  const nn::Grid3 grid = model.grid();
  return str("model        ", nn::parameter_count(model), " parameters, ", model.blocks(),
             " blocks, width ", model.dim, ", tokens ", grid.t, "x", grid.h, "x", grid.w, " = ",
             grid.count(), "\n");
}

/// A run whose batch is a share of this one's.
Config with_share(Config config, double share) {
  config.train.batch = std::llround(share * static_cast<double>(config.train.batch));
  return config;
}

/// One line per bucket.
std::string describe_buckets(const Config& config, const nn::DiTConfig& model,
                             std::int64_t text_tokens) {
  std::string text;
  for (const BucketSpec& spec : parse_buckets(config.data.buckets)) {
    const Shape own{model.channels, model.frames, model.height, model.width};
    const Shape clip =
        cut_shape(spec, spec.dir.empty() ? own : open_dataset(spec.dir)->clip_shape());
    const nn::DiTConfig other = model.for_clips(clip);
    nn::check(other);
    const auto objective = objective_options(config, other);
    static_cast<void>(soflow::EFlowObjective(objective));
    text +=
        str("bucket       ", std::llround(100 * spec.share), " % of each batch are clips ", clip,
            ": ", describe_step(with_share(config, spec.share), other, objective, 0, text_tokens));
  }
  return text;
}

std::string describe_steps(const Config& config, const nn::DiTConfig& model,
                           const soflow::ObjectiveOptions& objective, std::int64_t text) {
  if (config.objective.kind != ObjectiveKind::kEFlow) return describe_anyflow(config, model, text);
  double share = 1;
  for (const BucketSpec& spec : parse_buckets(config.data.buckets)) share -= spec.share;
  const Config own = with_share(config, share);
  return str("first step   ", describe_step(own, model, objective, 0, text), "last step    ",
             describe_step(own, model, objective, config.train.iterations - 1, text),
             describe_buckets(config, model, text));
}

/// "9 classes", "0 classes, text of width 4096"
std::string describe_condition(const ClipFormat& clips, std::int64_t text_tokens) {
  const std::string text =
      clips.context_dim > 0 ? str(", text of ", text_tokens, " tokens, width ", clips.context_dim)
                            : std::string();
  return str(clips.classes, " classes", text);
}

/// Whether a dry run takes the clips from data.clip, as data.dir is empty or does not exist yet.
bool assumes_clips(const DataConfig& data) {
  return data.dir.empty() || (!data.clip.empty() && !std::filesystem::exists(data.dir));
}

/// describe_unused() as lines.
std::string unused(const Config& config, const ClipFormat& clips) {
  const std::string text = describe_unused(config, clips);
  return text.empty() ? text : text + "\n";
}

/// Of each of the planned ranks, at the first step.
std::string describe_planned(const Config& config, const nn::DiTConfig& model,
                             const PlannedRanks& planned, double activations, std::int64_t text) {
  if (planned.ranks == 0) return "";
  const auto objective = objective_options(config, model);
  const bool eflow = config.objective.kind == ObjectiveKind::kEFlow;
  RankPlanInput in;
  in.ranks = static_cast<int>(planned.ranks);
  in.sequence = static_cast<int>(config.train.sequence);
  in.batch = config.train.batch;
  in.shards = config.train.shards;
  in.average_each_step = config.mva.share > 0;
  in.passes = eflow ? passes_per_clip(objective) : anyflow_passes(config, model);
  in.step_flops = static_cast<double>(config.train.batch) *
                  (eflow ? step_flops(model, objective, 0, text)
                         : in.passes * forward_flops(model, -1, text).total());
  in.activations = activations;
  in.micro_batch = std::max<std::int64_t>(
      1, config.train.batch /
             (std::max<std::int64_t>(1, config.train.shards) * config.train.accumulation));
  in.slice = static_cast<double>(trainer_options(config).slice);
  in.compute_bytes = static_cast<int>(size_of(config.train.precision));
  in.flops_per_s =
      planned.tflops > 0 ? planned.tflops * 1e12 : measure_device_peak(0.2, config.train.precision);
  in.network = network_of(planned.network);
  return describe_ranks(model, in);
}

std::string describe_costs(const Config& config, const nn::DiTConfig& model, std::int64_t text,
                           const PlannedRanks& planned) {
  const auto objective = objective_options(config, model);
  static_cast<void>(soflow::EFlowObjective(objective));  // throws if the drop options do not fit
  const TrainingMemory memory = memory_of(config, model);
  const double kept = static_cast<double>(config.checkpoint.keep + 1);
  return str("batch        ", config.train.batch, " clips in ", config.train.accumulation,
             config.train.accumulation == 1 ? " micro-batch\n" : " micro-batches\n",
             describe_steps(config, model, objective, text), "memory       ",
             describe_bytes(memory.state), " of state, about ", describe_bytes(memory.activations),
             " of activations", config.model.recompute ? " (blocks are recomputed)" : "", "\n",
             "disk         ", describe_bytes(memory.checkpoint * kept), " of checkpoints",
             config.checkpoint.async ? str(" (and ", describe_bytes(memory.checkpoint),
                                           " of host memory for each save in progress)")
                                     : std::string(),
             "\n", describe_planned(config, model, planned, memory.activations, text));
}

}  // namespace

std::string describe_training(const Config& given, const std::filesystem::path& out,
                              const std::string& resume, const PlannedRanks& planned) {
  Config config = resolved(given);
  if (planned.ranks > 0 && config.train.shards == 0) {
    TrainConfig& train = config.train;  // micro-batches keep their size
    const std::int64_t micro_batch = std::max<std::int64_t>(1, train.batch / train.accumulation);
    train.shards = std::max<std::int64_t>(1, planned.ranks / train.sequence);
    train.accumulation = std::max<std::int64_t>(1, train.batch / train.shards / micro_batch);
  }
  const std::string steps = str("steps        ", config.train.iterations);
  if (!config.data.exact.enabled && assumes_clips(config.data)) {
    const std::int64_t text =
        config.data.context_length > 0 ? config.data.context_length : kUsualTextLength;
    const ClipFormat clips = assumed_format(config);
    check_condition(config, clips);
    const nn::DiTConfig model = dit_config(config, clips);
    return str("data         ", config.data.dir.empty() ? "none" : config.data.dir + " (missing)",
               "; clips ", clips.shape(), ", ", describe_condition(clips, text), "\n",
               describe_model(model), describe_costs(config, model, text, planned), steps, "\n",
               unused(config, clips));
  }
  const DataSets data = open_data(config.data);
  check_condition(config, data.info.clips);
  std::string notes;
  for (const std::string& warning : data.warnings) notes += "warning: " + warning + "\n";
  const Say say = [&](const std::string& line) { notes += line + "\n"; };
  const auto checkpoint = find_checkpoint(resume, RunDirectory(out), say);
  if (checkpoint) check_fits(*checkpoint, config, data.info, say);
  const nn::DiTConfig model = dit_config(config, data.info.clips);
  const std::int64_t text = data.info.text.length;
  return notes + str("data         ", data.info.training_clips, " clips ", data.info.clips.shape(),
                     ", ", describe_condition(data.info.clips, text), "\n", "held out     ",
                     data.held_out ? data.held_out->size() : 0, " clips\n", describe_model(model),
                     describe_costs(config, model, text, planned), steps, ", now at ",
                     checkpoint ? checkpoint->step() : 0, "\n", unused(config, data.info.clips));
}

}  // namespace eflow::trainer

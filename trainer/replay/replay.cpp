#include "eflow/trainer/replay/replay.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/guard/recorded_step.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/step/freeze.hpp"

namespace eflow::trainer {
namespace {

/// The state before the step: the only checkpoint of the folder.
io::Checkpoint state_in(const std::filesystem::path& bundle) {
  const io::CheckpointStore store(bundle);
  const std::vector<std::int64_t> steps = store.list();
  if (steps.size() == 1 && std::filesystem::exists(bundle / kRecordedStepName))
    return open_checkpoint(store.path_of(steps[0]));
  throw CheckpointError(str("[replay] ", bundle.string(), ": expected ", kRecordedStepName,
                            " and one checkpoint, found ", steps.size(),
                            " checkpoints; a replay bundle is RUN/replay/step-N"));
}

/// The recorded clips in place of the data set.
Clips clips_of(RecordedStep* step, const CheckpointInfo& info, const std::string& where) {
  const std::vector<BucketSpec> specs = parse_buckets(info.config.data.buckets);
  if (step->sources.size() != specs.size() + 1)
    throw CorruptData(str("[replay] ", where, ": expected clips of ", specs.size() + 1,
                          " sources, as data.buckets says, found ", step->sources.size()));
  Clips clips;
  clips.sets.info = info.data;
  clips.sets.training = std::make_unique<RecordedClips>(std::move(step->sources[0]));
  if (clips.sets.training->clip_shape() != info.data.clips.shape())
    throw CorruptData(str("[replay] ", where, ": expected clips ", info.data.clips.shape(),
                          ", found ", clips.sets.training->clip_shape()));
  for (std::size_t j = 0; j < specs.size(); ++j) {
    Bucket bucket{.share = specs[j].share};
    bucket.set = std::make_unique<RecordedClips>(std::move(step->sources[j + 1]));
    bucket.source = bucket.set.get();
    clips.buckets.push_back(std::move(bucket));
  }
  return clips;
}

bool same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

std::vector<std::string> differences_of(const StepOutcome& recorded, const StepOutcome& repeated) {
  std::vector<std::string> lines;
  const auto compare = [&](const std::string& what, double was, double is) {
    if (!same_bits(was, is)) lines.push_back(str(what, ": recorded ", was, ", repeated ", is));
  };
  compare("loss", recorded.loss, repeated.loss);
  compare("gradient norm", recorded.grad_norm, repeated.grad_norm);
  if (recorded.samples.size() != repeated.samples.size()) {
    lines.push_back(
        str("clips: recorded ", recorded.samples.size(), ", repeated ", repeated.samples.size()));
    return lines;
  }
  for (std::size_t i = 0; i < recorded.samples.size(); ++i) {
    const auto &was = recorded.samples[i], &is = repeated.samples[i];
    if (was.index != is.index)
      lines.push_back(str("sample ", i, ": recorded ", was.index, ", repeated ", is.index));
    compare(str("loss of sample ", was.index), was.loss, is.loss);
  }
  return lines;
}

double largest_of(std::span<const float> values) {
  double largest = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(double{value}));
  }
  return largest;
}

/// Clips with values that are not finite or kOutlier times as large as those of half of the clips.
void add_odd_clips(const RecordedClips& clips, std::vector<std::string>* lines) {
  constexpr double kOutlier = 100;
  const auto size = static_cast<std::size_t>(element_count(clips.clip_shape()));
  std::vector<double> largest;
  for (std::size_t i = 0; i < clips.indices().size(); ++i)
    largest.push_back(largest_of(clips.values().subspan(i * size, size)));
  if (largest.empty()) return;
  std::vector<double> sorted = largest;
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[(sorted.size() - 1) / 2];
  for (std::size_t i = 0; i < largest.size(); ++i) {
    if (largest[i] <= kOutlier * median) continue;
    lines->push_back(str("clip ", clips.indices()[i], ": values up to ", largest[i],
                         ", in half of the clips up to ", median));
  }
}

std::vector<std::string> odd_inputs_of(const nn::NamedTensors& state,
                                       const std::vector<const io::ClipSource*>& sources) {
  std::vector<std::string> lines;
  for (const auto& [name, tensor] : state) {
    const std::string fault = describe_nonfinite(tensor);
    if (!fault.empty()) lines.push_back(name + ": " + fault);
  }
  for (const io::ClipSource* source : sources)
    add_odd_clips(dynamic_cast<const RecordedClips&>(*source), &lines);
  return lines;
}

}  // namespace

ReplayReport replay_step(const std::filesystem::path& bundle, const Say& say) {
  const io::Checkpoint checkpoint = state_in(bundle);
  CheckpointInfo info = info_of(checkpoint);
  RecordedStep record = read_recorded_step(bundle / kRecordedStepName);
  ReplayReport report{.step = record.step, .recorded = std::move(record.outcome)};
  const std::string isa = default_device()->runtime().target().arch;
  if (isa != info.isa)
    say(str("recorded with ", info.isa, ", repeated with ", isa, ": the last bits may differ"));
  Config config = info.config;
  config.train.skip_nonfinite = info.history.skipped + 1;  // so that the step does not throw
  comm::Communicator alone;
  Parts parts(config, clips_of(&record, info, bundle.string()), &alone);
  const nn::NamedTensors state = load_trainer_state(checkpoint);
  freeze(config.train.freeze, parts.model.get());
  const auto run = [&] {
    parts.trainer.load_state(state, checkpoint.step(), info.history.earlier_updates,
                             info.history.skipped);
    static_cast<void>(parts.trainer.step());
  };
  run();
  report.repeated = parts.trainer.outcome();
  report.differences = differences_of(report.recorded, report.repeated);
  report.odd_inputs = odd_inputs_of(state, parts.sources());
  report.first = find_nonfinite(parts.model->parameters(), run);
  return report;
}

}  // namespace eflow::trainer

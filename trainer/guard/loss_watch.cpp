#include "eflow/trainer/guard/loss_watch.hpp"

#include "eflow/core/base/log.hpp"
#include "eflow/trainer/data/data_sets.hpp"

namespace eflow::trainer {
namespace {

/// E|x1 - x0|^2 = 1 + E x0^2 over some clips: the flow-matching error of a network that predicts no
/// velocity.
double error_without_velocity(const io::ClipSource& source) {
  constexpr std::int64_t kClips = 16;
  constexpr std::uint64_t kSeed = 20260328;
  const std::vector<float> values = choose_clips(source, kClips, kSeed).values;
  double squares = 0;
  for (const float value : values) squares += double{value} * double{value};
  return 1 + squares / static_cast<double>(values.size());
}

}  // namespace

LossWatch::LossWatch(const io::ClipSource& training, bool stops)
    : sentinel_(error_without_velocity(training)), stops_(stops) {}

void LossWatch::warn_of_noise(const StepMetrics& metrics) {
  const std::optional<double> mean = drift_.add(metrics.scm_drift);
  if (!mean) return;
  log_warning("step ", metrics.step, ": over the last ", soflow::DriftAlarm::kWindow,
              " steps, the consistency drift averaged ", *mean,
              " times the target velocity, although it should be far smaller; rounding errors "
              "probably dominate (F_t - F_l) / r; raise objective.r_end");
}

std::optional<std::string> LossWatch::judge(const StepMetrics& metrics) {
  const std::optional<LossAlarm> alarm = sentinel_.add(metrics);
  if (!alarm) return std::nullopt;
  if (stops_ && alarm->diverged) return alarm->text;
  log_warning("[train] ", alarm->text,
              alarm->diverged ? "; the run diverges: lower optim.lr, or go back to an earlier "
                                "checkpoint (--resume CHECKPOINT)"
                              : "");
  return std::nullopt;
}

}  // namespace eflow::trainer

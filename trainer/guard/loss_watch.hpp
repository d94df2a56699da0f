#pragma once
// LossWatch: what a run says of its losses while they are finite: it warns of losses that stand out
// and of rounding errors, and tells when the run diverges.

#include <optional>
#include <string>

#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/soflow/objective/drift_alarm.hpp"
#include "eflow/trainer/guard/loss_sentinel.hpp"

namespace eflow::trainer {

class LossWatch {
 public:
  /// Reads some of the training clips. `stops`: a divergence ends the run (train.on_divergence).
  LossWatch(const io::ClipSource& training, bool stops);
  /// Adds the steps of metrics.jsonl (LossSentinel::catch_up()).
  void catch_up(const std::string& lines) { sentinel_.catch_up(lines); }

  /// Warns if rounding errors probably dominate the consistency loss
  /// (soflow/objective/drift_alarm.hpp).
  void warn_of_noise(const StepMetrics& metrics);
  /// Adds a step. Returns a sentence if the run diverges and shall end; warns of anything else.
  [[nodiscard]] std::optional<std::string> judge(const StepMetrics& metrics);

 private:
  LossSentinel sentinel_;
  soflow::DriftAlarm drift_;
  bool stops_;
};

}  // namespace eflow::trainer

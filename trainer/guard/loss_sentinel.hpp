#pragma once
// LossSentinel: notices that a training run diverges while its losses are still finite. Two rules:
// the loss stays far above its recent mean, or the flow-matching error exceeds that of a network
// which predicts no velocity at all, where training starts.

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>

#include "eflow/trainer/step/metrics.hpp"

namespace eflow::trainer {

struct LossAlarm {
  bool diverged = false;  ///< false: one step stood out
  std::string text = {};  ///< a sentence that begins with the step
};

class LossSentinel {
 public:
  static constexpr std::size_t kWindow = 128;  ///< steps of the mean and standard deviation
  static constexpr double kLimit = 6;          ///< z-score above which a loss stands out
  static constexpr int kPatience = 8;          ///< such losses in a row: the run diverges
  static constexpr std::size_t kErrors = 32;   ///< steps over which flow-matching errors average

  /// `start_error`: the flow-matching error of a network that predicts no velocity, E|x1 - x0|^2.
  /// NaN disables the second rule.
  explicit LossSentinel(double start_error = std::numeric_limits<double>::quiet_NaN())
      : start_error_(start_error) {}

  /// Adds a step. A loss that is not finite is ignored, as the step made no update. A loss that
  /// stands out does not enter the window. A single one is reported once in kWindow steps.
  /// After a divergence both rules begin again.
  std::optional<LossAlarm> add(const StepMetrics& metrics);

  /// Adds the steps of complete lines of metrics.jsonl, so that a resumed run continues as if it had
  /// not been interrupted. Ignores lines that are not metrics.
  void catch_up(const std::string& lines);

 private:
  std::optional<LossAlarm> judge_loss(const StepMetrics& metrics);
  std::optional<LossAlarm> judge_error(const StepMetrics& metrics);

  double start_error_;
  std::deque<double> losses_, errors_;
  bool additive_ = false;  ///< a step has trained additivity, which shifts the loss
  bool armed_ = false;     ///< the error has been below start_error_
  int outliers_ = 0;       ///< in a row
  std::int64_t quiet_until_ = 0;
};

}  // namespace eflow::trainer

#include "eflow/trainer/guard/loss_sentinel.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/number_text.hpp"

namespace eflow::trainer {
namespace {

/// Relative standard deviation below which a loss counts as constant.
constexpr double kLeastDeviation = 1e-3;

double mean_of(const std::deque<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::deque<double>& values, double mean) {
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::max(std::sqrt(squares / static_cast<double>(values.size() - 1)),
                  kLeastDeviation * std::abs(mean));
}

double number_in(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>()
                                                   : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::optional<LossAlarm> LossSentinel::add(const StepMetrics& metrics) {
  if (!std::isfinite(metrics.loss)) return std::nullopt;
  if (!additive_ && !std::isnan(metrics.loss_mva)) {  // another loss from here on
    additive_ = true;
    losses_.clear();
  }
  const auto by_loss = judge_loss(metrics), by_error = judge_error(metrics);
  const auto& worst = by_error ? by_error : by_loss;
  if (worst && worst->diverged) *this = LossSentinel(start_error_);
  return worst;
}

std::optional<LossAlarm> LossSentinel::judge_loss(const StepMetrics& metrics) {
  const auto enter = [&] {
    losses_.push_back(metrics.loss);
    if (losses_.size() > kWindow) losses_.pop_front();
    outliers_ = 0;
    return std::nullopt;
  };
  if (losses_.size() < kWindow) return enter();
  const double mean = mean_of(losses_), z = (metrics.loss - mean) / deviation_of(losses_, mean);
  if (z <= kLimit) return enter();
  const std::string text = str("step ", metrics.step, ": the loss ", short_text(metrics.loss, 4),
                               " is ", short_text(z, 3), " standard deviations above ",
                               short_text(mean, 4), ", the mean of the ", kWindow, " steps before");
  if (++outliers_ == kPatience)
    return LossAlarm{true, str(text, ", and so were the ", kPatience - 1, " losses before it")};
  if (outliers_ > 1 || metrics.step < quiet_until_) return std::nullopt;
  quiet_until_ = metrics.step + static_cast<std::int64_t>(kWindow);
  return LossAlarm{false, text};
}

std::optional<LossAlarm> LossSentinel::judge_error(const StepMetrics& metrics) {
  if (std::isnan(start_error_) || !std::isfinite(metrics.fm_mse)) return std::nullopt;
  errors_.push_back(metrics.fm_mse);
  if (errors_.size() > kErrors) errors_.pop_front();
  if (errors_.size() < kErrors) return std::nullopt;
  const double mean = mean_of(errors_);
  if (mean < start_error_) armed_ = true;
  if (!armed_ || mean <= start_error_) return std::nullopt;
  return LossAlarm{
      true, str("step ", metrics.step, ": the flow-matching error averaged ", short_text(mean, 4),
                " over the last ", kErrors, " steps, above ", short_text(start_error_, 4),
                ", the error of a network that predicts no velocity at all, where "
                "training starts")};
}

void LossSentinel::catch_up(const std::string& lines) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) continue;
    StepMetrics m;
    m.step = object.value("step", std::int64_t{0});
    m.loss = number_in(object, "loss");
    m.fm_mse = number_in(object, "fm_mse");
    m.loss_mva = number_in(object, "loss_mva");
    static_cast<void>(add(m));
  }
}

}  // namespace eflow::trainer

#include "eflow/soflow/objective/drift_alarm.hpp"

#include <cmath>

namespace eflow::soflow {

std::optional<double> DriftAlarm::add(double ratio) {
  if (std::isnan(ratio)) return std::nullopt;
  sum_ += ratio;
  if (++count_ < kWindow) return std::nullopt;
  const double mean = sum_ / static_cast<double>(kWindow);
  *this = DriftAlarm();
  return mean > kLimit ? std::optional(mean) : std::nullopt;
}

}  // namespace eflow::soflow

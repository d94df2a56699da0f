#include "eflow/soflow/objective/loss_groups.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "eflow/core/base/error.hpp"

namespace eflow::soflow {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

bool is_whole(double x) {
  return std::abs(x - std::round(x)) < 1e-9;
}

/// True if position i of `size` is one of `count` evenly spread positions.
bool is_chosen(int i, int count, int size) {
  return (i + 1) * count / size > i * count / size;
}

template <class Value>
double mean_of(const std::vector<SampleRecord>& samples, LossGroup group, Value value) {
  double sum = 0;
  int count = 0;
  for (const SampleRecord& sample : samples) {
    if (sample.group != group) continue;
    sum += value(sample);
    ++count;
  }
  return count > 0 ? sum / count : kNone;
}

}  // namespace

std::vector<LossGroup> loss_pattern(double fm_share, double mva_share) {
  if (!(fm_share >= 0 && mva_share >= 0 && fm_share + mva_share <= 1 + 1e-9)) {
    throw InvalidArgument(
        str("[objective] the shares of flow matching and mean-velocity additivity, and their sum, "
            "must be in [0, 1]; found ",
            fm_share, " and ", mva_share));
  }
  int size = 1;
  while (size < 64 && !(is_whole(fm_share * size) && is_whole(mva_share * size))) ++size;
  const auto fm = static_cast<int>(std::lround(fm_share * size));
  const int mva = std::min(static_cast<int>(std::lround(mva_share * size)), size - fm);
  std::vector<LossGroup> pattern;
  for (int i = 0, other = 0; i < size; ++i) {
    if (is_chosen(i, fm, size)) {
      pattern.push_back(LossGroup::kFlowMatching);
    } else {
      const bool is_mva = is_chosen(other++, mva, size - fm);
      pattern.push_back(is_mva ? LossGroup::kMeanVelocityAdditivity
                               : LossGroup::kSolutionConsistency);
    }
  }
  return pattern;
}

double share_of(const std::vector<LossGroup>& pattern, LossGroup group) {
  return static_cast<double>(std::count(pattern.begin(), pattern.end(), group)) /
         static_cast<double>(pattern.size());
}

std::vector<SampleRecord> StepLoss::samples() const {
  std::vector<SampleRecord> all;
  for (const UnreadLosses& one : unread) {
    const auto loss = one.loss.to_vector<double>(), mse = one.mse.to_vector<double>();
    const auto target =
        one.target.defined() ? one.target.to_vector<double>() : std::vector<double>(loss.size(), 0);
    for (std::size_t i = 0; i < loss.size(); ++i)
      all.push_back({one.indices[i], one.group, loss[i], mse[i], target[i]});
  }
  all.insert(all.end(), records.begin(), records.end());
  return all;
}

double mean_loss(const std::vector<SampleRecord>& samples, LossGroup group) {
  return mean_of(samples, group, [](const SampleRecord& sample) { return sample.loss; });
}

double mean_mse(const std::vector<SampleRecord>& samples, LossGroup group) {
  return mean_of(samples, group, [](const SampleRecord& sample) { return sample.mse; });
}

double drift_ratio(const std::vector<SampleRecord>& samples) {
  const double target = mean_of(samples, LossGroup::kSolutionConsistency,
                                [](const SampleRecord& sample) { return sample.target; });
  return std::sqrt(mean_mse(samples, LossGroup::kSolutionConsistency) / target);
}

}  // namespace eflow::soflow

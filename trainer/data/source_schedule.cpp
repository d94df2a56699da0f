#include "eflow/trainer/data/source_schedule.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {

SourceSchedule::SourceSchedule(const std::vector<double>& shares) {
  std::vector<std::int64_t> hundredths = {100};
  for (const double share : shares) {
    const std::int64_t count = std::llround(100 * share);
    if (count < 1 || std::abs(100 * share - static_cast<double>(count)) > 1e-6) {
      throw InvalidArgument(
          str("[turns] expected a share that is a positive multiple of 0.01, found ", share));
    }
    hundredths.push_back(count);
    hundredths[0] -= count;
  }
  if (hundredths[0] < 1) throw InvalidArgument("[turns] expected shares that sum to less than 1");
  // Each step goes to the source that is furthest behind its share; on ties, to the first.
  std::vector<std::int64_t> assigned(hundredths.size(), 0);
  for (std::size_t step = 0; step < pattern_.size(); ++step) {
    const auto behind = [&](std::size_t source) {
      return hundredths[source] * static_cast<std::int64_t>(step + 1) - 100 * assigned[source];
    };
    std::size_t next = 0;
    for (std::size_t source = 1; source < assigned.size(); ++source) {
      if (behind(source) > behind(next)) next = source;
    }
    pattern_[step] = next;
    ++assigned[next];
  }
}

std::size_t SourceSchedule::at(std::int64_t step) const {
  return pattern_[static_cast<std::size_t>(step) % pattern_.size()];
}

std::int64_t SourceSchedule::before(std::size_t source, std::int64_t step) const {
  const auto size = static_cast<std::int64_t>(pattern_.size());
  const auto count = [&](std::int64_t steps) {
    return std::count(pattern_.begin(), pattern_.begin() + steps, source);
  };
  return step / size * count(size) + count(step % size);
}

}  // namespace eflow::trainer

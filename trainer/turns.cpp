#include "eflow/trainer/turns.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/base/error.hpp"

namespace eflow::trainer {

Turns::Turns(const std::vector<double>& shares) {
  std::vector<std::int64_t> hundredths = {100};
  for (const double share : shares) {
    const std::int64_t count = std::llround(100 * share);
    if (count < 1 || std::abs(100 * share - static_cast<double>(count)) > 1e-6) {
      throw InvalidArgument(
          str("[turns] a share must be whole hundredths, at least 0.01; found ", share));
    }
    hundredths.push_back(count);
    hundredths[0] -= count;
  }
  if (hundredths[0] < 1)
    throw InvalidArgument("[turns] the shares leave nothing; together they must be below 1");
  // Each step goes to the one that is furthest behind its share, among equals to the first.
  std::vector<std::int64_t> had(hundredths.size(), 0);
  for (std::size_t step = 0; step < pattern_.size(); ++step) {
    const auto behind = [&](std::size_t who) {
      return hundredths[who] * static_cast<std::int64_t>(step + 1) - 100 * had[who];
    };
    std::size_t next = 0;
    for (std::size_t who = 1; who < had.size(); ++who) {
      if (behind(who) > behind(next)) next = who;
    }
    pattern_[step] = next;
    ++had[next];
  }
}

std::size_t Turns::at(std::int64_t step) const {
  return pattern_[static_cast<std::size_t>(step) % pattern_.size()];
}

std::int64_t Turns::before(std::size_t who, std::int64_t step) const {
  const auto size = static_cast<std::int64_t>(pattern_.size());
  const auto count = [&](std::int64_t steps) {
    return std::count(pattern_.begin(), pattern_.begin() + steps, who);
  };
  return step / size * count(size) + count(step % size);
}

}  // namespace eflow::trainer

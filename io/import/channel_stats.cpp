#include "eflow/io/import/channel_stats.hpp"

#include <algorithm>
#include <cmath>

namespace eflow::io {

void ChannelMoments::merge(const ChannelMoments& other) {
  if (other.count == 0) return;
  const double total = count + other.count, delta = other.mean - mean;
  squares += other.squares + delta * delta * count * other.count / total;
  mean += delta * other.count / total;
  count = total;
  low = std::min(low, other.low), high = std::max(high, other.high);
}

double ChannelMoments::std() const {
  return count > 0 ? std::sqrt(squares / count) : 0;
}

double lowest_of(const ChannelStats& stats) {
  double low = std::numeric_limits<double>::infinity();
  for (const ChannelMoments& channel : stats) low = std::min(low, channel.low);
  return low;
}

double highest_of(const ChannelStats& stats) {
  double high = -std::numeric_limits<double>::infinity();
  for (const ChannelMoments& channel : stats) high = std::max(high, channel.high);
  return high;
}

bool looks_unnormalised(const ChannelStats& stats) {
  return std::any_of(stats.begin(), stats.end(), [](const ChannelMoments& channel) {
    return channel.count > 0 &&
           (std::abs(channel.mean) > 0.5 || channel.std() < 0.5 || channel.std() > 2);
  });
}

}  // namespace eflow::io

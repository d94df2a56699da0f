#pragma once
// Mean, standard deviation and range of each channel of many clips, in one pass.

#include <cstdint>
#include <limits>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// Moments of one channel, merged by Chan's formula: sums of squares of large values do not cancel.
struct ChannelMoments {
  double count = 0, mean = 0, squares = 0;  ///< squares: sum of (value - mean)^2
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void merge(const ChannelMoments& other);
  [[nodiscard]] double std() const;
};

using ChannelStats = std::vector<ChannelMoments>;

/// The smallest and the largest value of all channels.
[[nodiscard]] double lowest_of(const ChannelStats& stats);
[[nodiscard]] double highest_of(const ChannelStats& stats);

/// Whether some channel is far from mean 0 and standard deviation 1: |mean| > 0.5, or std outside
/// 0.5 to 2.
[[nodiscard]] bool looks_unnormalised(const ChannelStats& stats);

}  // namespace eflow::io

EFLOW_EXPORT_END

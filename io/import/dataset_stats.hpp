#pragma once
// What a packed data set is like: statistics of its channels, lengths of its captions, duplicates.

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/io/import/channel_stats.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct DatasetStats {
  ChannelStats channels{};  ///< of the values that a model sees
  /// Pairs of equal clips: (clip, the first one equal to it). The first thousand.
  std::vector<std::pair<std::int64_t, std::int64_t>> duplicates{};
  std::int64_t duplicate_count = 0;
  std::int64_t constant_clips = 0;  ///< of one value
  // Captions:
  std::int64_t captions = 0, different_captions = 0, empty_captions = 0;
  std::int64_t shortest = 0, longest = 0, tokens = 0;
};

/// Reads all clips. Memory: one clip, and a hash of each. `progress` may be empty. Throws
/// CorruptData, IoError.
[[nodiscard]] DatasetStats measure_dataset(
    const Dataset& set, const std::function<void(std::int64_t, std::int64_t)>& progress = {});

}  // namespace eflow::io

EFLOW_EXPORT_END

#pragma once
// Clips of a data set that are damaged, as a training run finds them, and what the run does about
// them (data.on_error).

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// A meaning of data.on_error.
struct DamagePolicy {
  std::int64_t most = 0;  ///< damaged clips that a run tolerates; 0: the first one ends it
};

/// Parses "error", "skip:N" or "quarantine". Throws InvalidArgument naming data.on_error.
[[nodiscard]] DamagePolicy parse_on_error(const std::string& text);

/// The part of a clip that is damaged.
enum class ClipPart { kValues, kCaptions };

struct DamagedClip {
  std::string data = {};  ///< folder of the data set
  std::int64_t clip = 0;  ///< index in it
  ClipPart part = ClipPart::kValues;
  std::string error = {};  ///< the reader's message
  std::int64_t step = 0;   ///< whose batch first had the clip; 0: only read ahead so far
};

/// The damaged clips that a run knows. Thread-safe.
class DamageList {
 public:
  /// Adds a clip and warns, unless it is known.
  void note(const DamagedClip& found);
  [[nodiscard]] bool contains(const std::string& data, std::int64_t clip, ClipPart part) const;
  /// Notes that a clip was in the batch of `step`. Returns whether it is the first time.
  bool meet(const std::string& data, std::int64_t clip, std::int64_t step);
  /// Number of clips that batches have had.
  [[nodiscard]] std::int64_t met() const;

  /// The clips noted since the last call, as merge() reads them: for the other ranks.
  [[nodiscard]] std::string take_new();
  /// Adds clips from lines of text, without a warning, except those first met after `last_step`.
  /// Throws CorruptData that names `where` and the line.
  void merge(const std::string& lines, const std::string& where,
             std::int64_t last_step = INT64_MAX);
  /// The clips that batches have had, by step: the content of quarantine.jsonl, one JSON object per
  /// line.
  [[nodiscard]] std::string met_lines() const;
  /// All clips, by data set and index.
  [[nodiscard]] std::vector<DamagedClip> all() const;

 private:
  using Key = std::tuple<std::string, std::int64_t, ClipPart>;
  mutable std::mutex mutex_;
  std::map<Key, DamagedClip> clips_;
  std::vector<Key> fresh_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// BatchMix: which clips of a step's batch come from which source, such as images among clips. Each
// source takes its share within every batch, to the nearest clip, and exactly over 100 clips.

#include <cstdint>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/data/source_schedule.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// A pure function of its arguments, so a resumed run repeats it, and so do the parts into which
/// ranks and micro-batches divide a batch.
class BatchMix {
 public:
  /// `shares` of sources 1, 2, ... as for SourceSchedule; source 0 gets the rest of each batch.
  BatchMix(const std::vector<double>& shares, std::int64_t batch, std::uint64_t seed);

  /// Clips of a source in the batch of `step`.
  [[nodiscard]] std::int64_t count(std::size_t source, std::int64_t step) const;

  /// Clips of one source in a range of a batch.
  struct Part {
    std::vector<std::int64_t> places = {};     ///< in the batch, ascending
    std::vector<std::int64_t> positions = {};  ///< in the order of the source
  };
  /// The clips of `source` among places [first, first + count) of the batch of `step`. Which places
  /// a source takes is drawn for each step, so that it does not coincide with the loss groups.
  [[nodiscard]] Part part(std::size_t source, std::int64_t step, std::int64_t first,
                          std::int64_t count) const;

 private:
  SourceSchedule schedule_;  ///< of the clips of a run, one after another
  std::size_t sources_;
  std::int64_t batch_;
  std::uint64_t seed_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Removes checkpoints that nothing needs any more.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// What to keep in addition to what is needed: the newest `last`, the multiples of `every` (0: none),
/// and the `best` with the lowest held-out error.
struct PruneRules {
  std::int64_t last = 1, every = 0, best = 0;
};

struct PrunedCheckpoint {
  std::int64_t step = 0;
  std::uint64_t bytes = 0;
  std::string kept = {};  ///< why; empty: removed
};

/// Prunes one folder of run_folders() and returns all of its checkpoints by step. Always keeps the
/// newest that is intact, from which the run resumes and stages begin; one that another stage of the
/// same run began from; and one that the configuration of such a stage names. With `dry_run`, only
/// reports. Throws IoError if a run is training in the folder, or a checkpoint cannot be removed;
/// CheckpointError if none is intact.
std::vector<PrunedCheckpoint> prune_checkpoints(const std::filesystem::path& folder,
                                                const PruneRules& rules, bool dry_run);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

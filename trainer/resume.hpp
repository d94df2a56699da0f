#pragma once
// Where a run starts: fresh, from its own newest good checkpoint, or from a named one, and whether that one fits.

#include <functional>
#include <optional>

#include "eflow/trainer/checkpoint.hpp"
#include "eflow/trainer/run_directory.hpp"

namespace eflow::trainer {

using Say = std::function<void(const std::string& line)>;

/// `mode`: "auto" (newest good checkpoint of the run, or nothing), "never" (nothing; refuses a run that has checkpoints),
/// or the folder of a checkpoint or of a run. Says what it found.
/// Throws InvalidArgument, CheckpointError.
[[nodiscard]] std::optional<io::Checkpoint> find_checkpoint(const std::string& mode,
                                                            const RunDirectory& run,
                                                            const Say& say);

/// Throws CheckpointError, naming the keys, where the checkpoint is another model's or its run cannot go on like this;
/// says which harmless keys changed.
void check_fits(const io::Checkpoint& checkpoint, const Config& config, const DataInfo& data,
                const Say& say);

}  // namespace eflow::trainer

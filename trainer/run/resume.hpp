#pragma once
// Decides where a run starts: from scratch, from its own newest good checkpoint, or from a given
// one; and checks that the checkpoint fits the run.

#include <functional>
#include <optional>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/run/say.hpp"

namespace eflow::trainer {

/// The checkpoint to start from, or nothing. `mode` is "auto" (the run's newest good checkpoint, if
/// any), "never" (start from scratch; refuses a run that has checkpoints), or the folder of a
/// checkpoint or of a run. Throws InvalidArgument, CheckpointError.
[[nodiscard]] std::optional<io::Checkpoint> find_checkpoint(const std::string& mode,
                                                            const RunDirectory& run,
                                                            const Say& say);
/// All ranks. The checkpoint that rank 0 finds.
[[nodiscard]] std::optional<io::Checkpoint> find_checkpoint_together(const std::string& mode,
                                                                     const RunDirectory& run,
                                                                     const Say& say,
                                                                     comm::Communicator* ranks);

/// Throws CheckpointError listing the differences if the checkpoint is of another model or data
/// set, or if an option changed that must not change within a run. Reports all other changed
/// options.
void check_fits(const io::Checkpoint& checkpoint, const Config& config, const DataInfo& data,
                const Say& say);

}  // namespace eflow::trainer

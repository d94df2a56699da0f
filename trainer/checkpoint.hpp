#pragma once
// A trainer's state as a checkpoint: which arrays, which description beside them, and whether a checkpoint fits a run.

#include "eflow/io/checkpoint.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/data_info.hpp"
#include "eflow/trainer/trainer.hpp"

namespace eflow::trainer {

/// What a checkpoint says about itself.
struct CheckpointInfo {
  std::int64_t step = 0;
  Config config;
  DataInfo data;
  std::string isa;  ///< instruction set and threads: bit-exact continuation needs the same
  std::int64_t threads = 0;
};

/// Saves the trainer's state as step-N of the store. Throws NoSpaceError, IoError; older checkpoints stay whole.
std::filesystem::path save_checkpoint(io::CheckpointStore* store, const Trainer& trainer,
                                      const Config& config, const DataInfo& data);

/// Throws CheckpointError where the description is not one of ours.
[[nodiscard]] CheckpointInfo info_of(const io::Checkpoint& checkpoint);

/// Opens a checkpoint folder. Throws CheckpointError where there is none or it is damaged.
[[nodiscard]] io::Checkpoint open_checkpoint(const std::filesystem::path& path);

/// Bytes that a checkpoint of this trainer takes, about.
[[nodiscard]] std::uint64_t checkpoint_bytes(const Trainer& trainer);

}  // namespace eflow::trainer

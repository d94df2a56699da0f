#pragma once
// Training checkpoints: which tensors of a trainer are saved, and the description stored with them.
// The file format itself is io/checkpoint/checkpoint.hpp's.

#include "eflow/core/base/export.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/data/data_info.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

class Trainer;

/// The description stored in a checkpoint.
struct CheckpointInfo {
  std::int64_t step = 0;  ///< finished steps
  Config config = {};
  DataInfo data = {};
  /// Instruction set and thread count of the run. Resuming is bit-exact only if both are equal.
  std::string isa = {};
  std::int64_t threads = 0;
};

/// Saves the trainer's state as checkpoint trainer.steps() of the store and returns its folder.
/// Throws NoSpaceError or IoError; older checkpoints then remain intact.
std::filesystem::path save_checkpoint(io::CheckpointStore* store, const Trainer& trainer,
                                      const Config& config, const DataInfo& data);

/// Reads the description. Throws CheckpointError if the checkpoint is not a training checkpoint or
/// was written by an incompatible version.
[[nodiscard]] CheckpointInfo info_of(const io::Checkpoint& checkpoint);

/// Opens a checkpoint folder. Throws CheckpointError if it is missing or damaged.
[[nodiscard]] io::Checkpoint open_checkpoint(const std::filesystem::path& path);

/// Approximate size of a checkpoint of this trainer in bytes.
[[nodiscard]] std::uint64_t checkpoint_bytes(const Trainer& trainer);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Training checkpoints: which tensors of a trainer are saved, and the description stored with them.
// The file format itself is io/checkpoint/checkpoint.hpp's.

#include <optional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/data/data_info.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

class Trainer;

/// The tensors of Trainer::state(). Throws CorruptData.
[[nodiscard]] nn::NamedTensors load_trainer_state(const io::Checkpoint& checkpoint);

/// Averaged weights of another run that a run began from or learns from.
struct WeightsOrigin {
  std::string run = {};     ///< folder of that run or checkpoint
  std::int64_t step = 0;    ///< of the checkpoint
  std::string digest = {};  ///< of its averaged weights (CheckpointInfo::digest)
};

/// What a run stores with its state, besides its configuration and data.
struct RunHistory {
  std::optional<WeightsOrigin> init = {};  ///< train.init_from
  /// Updates of the optimizer before the run's first step; train.init_state = all.
  std::int64_t earlier_updates = 0;
  std::int64_t skipped = 0;  ///< steps so far that made no update (train.skip_nonfinite)
  std::optional<WeightsOrigin> teacher = {};  ///< anyflow.teacher
  std::string pending_metrics = {};           ///< lines that could not be written to metrics.jsonl
};

/// The description stored in a checkpoint.
struct CheckpointInfo {
  std::int64_t step = 0;  ///< finished steps
  Config config = {};
  DataInfo data = {};
  /// Instruction set and thread count of the run. Resuming is bit-exact only if both are equal.
  std::string isa = {};
  std::int64_t threads = 0;
  RunHistory history = {};
  std::string digest = {};  ///< identifies the averaged weights
};

/// The metadata of a checkpoint, which info_of() reads.
[[nodiscard]] std::string metadata_of(const Config& config, const DataInfo& data,
                                      const RunHistory& history);

/// The arrays that a checkpoint holds besides Trainer::state(): TextInfo::null, if there is one. They
/// refer to `data`.
[[nodiscard]] std::vector<io::NamedBytes> extra_arrays(const DataInfo& data);

/// Saves averaged weights alone as checkpoint 0: a run that samples and that train.init_from takes,
/// but that cannot be resumed. Throws NoSpaceError or IoError; older checkpoints then remain intact.
std::filesystem::path save_weights(io::CheckpointStore* store, const nn::NamedTensors& weights,
                                   const Config& config, const DataInfo& data);

/// Reads the description. Throws CheckpointError if the checkpoint is not a training checkpoint or
/// was written by an incompatible version.
[[nodiscard]] CheckpointInfo info_of(const io::Checkpoint& checkpoint);

/// Opens a checkpoint folder. Throws CheckpointError if it is missing or damaged, IoError if it
/// cannot be read.
[[nodiscard]] io::Checkpoint open_checkpoint(const std::filesystem::path& path);

/// Approximate size of a checkpoint of this trainer in bytes.
[[nodiscard]] std::uint64_t checkpoint_bytes(const Trainer& trainer);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// What a training run would do and cost, before anything is allocated: `eflow train --dry-run`.

#include <filesystem>
#include <string>

#include "eflow/nn/dit_config.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/model_config.hpp"

namespace eflow::trainer {

/// Bytes on one device.
struct TrainingMemory {
  double state = 0;        ///< weights, gradients, both moments, averaged weights
  double activations = 0;  ///< about, of one part of the batch in its widest pass
  double checkpoint = 0;   ///< on disk
};
/// By formula: a block keeps about 4 D values of f32 and 11 D + 2 F of train.precision a token
/// (attention none of size N x N), one that is recomputed its input.
[[nodiscard]] TrainingMemory memory_of(const Config& config, const nn::DiTConfig& model);

/// data.clip, "CxTxHxW", with the classes and the context of model.preset: the clips of a run whose
/// data are not there yet. Throws InvalidArgument naming data.clip.
[[nodiscard]] ClipFormat format_without_data(const Config& config);

/// Data, model, costs of the first and the last step, memory, disk, steps. Checks all that can be
/// checked without training; where data.dir is empty, without data. Throws what those checks throw.
[[nodiscard]] std::string describe_training(const Config& config, const std::filesystem::path& out,
                                            const std::string& resume);

}  // namespace eflow::trainer

#pragma once
// From a Config to the network that it describes.

#include <memory>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/trainer/config/clip_format.hpp"
#include "eflow/trainer/config/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {
class VideoDiT;
}

namespace eflow::trainer {

/// Returns the network for these clips, with model.preset applied. Throws InvalidArgument naming
/// the model.* key that does not fit the clips.
[[nodiscard]] nn::DiTConfig dit_config(const Config& config, const ClipFormat& clips);

/// Checks that model.condition, or with "auto" a named model.preset, takes what the data have.
/// Throws InvalidArgument naming both sides.
void check_condition(const Config& config, const ClipFormat& clips);

/// Returns whether a run trains chunk-causal passes: an AnyFlow stage with model.chunk_frames set.
/// A stage with EFlow's losses, such as the teacher's, trains on whole clips.
[[nodiscard]] bool is_causal(const Config& config);

/// The values that a model starts with: drawn from train.seed, or zeros that a state replaces.
enum class Weights { kDrawn, kZeros };
/// Returns a model on the default device.
[[nodiscard]] std::unique_ptr<nn::VideoDiT> make_model(const Config& config,
                                                       const ClipFormat& clips,
                                                       Weights weights = Weights::kDrawn);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

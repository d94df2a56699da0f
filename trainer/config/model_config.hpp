#pragma once
// From a Config to the network that it describes.

#include <memory>

#include "eflow/core/base/dtype.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/trainer/config/config.hpp"

namespace eflow::nn {
class VideoDiT;
}

namespace eflow::trainer {

/// The clips that a model is built for. The data set decides it, not the configuration.
struct ClipFormat {
  std::int64_t channels = 0, frames = 0, height = 0, width = 0;
  std::int64_t classes = 0;
  std::int64_t context_dim = 0;  ///< width E of the context tokens; 0: no context
  [[nodiscard]] Shape shape() const { return {channels, frames, height, width}; }
};

/// Returns the network for these clips, with model.preset applied. Throws InvalidArgument naming
/// the model.* key that does not fit the clips.
[[nodiscard]] nn::DiTConfig dit_config(const Config& config, const ClipFormat& clips);

/// Returns whether a run trains chunk-causal passes: an AnyFlow stage with model.chunk_frames set.
/// A stage with EFlow's losses, such as the teacher's, trains on whole clips.
[[nodiscard]] bool is_causal(const Config& config);

/// Returns a model on the default device, its weights drawn from train.seed.
[[nodiscard]] std::unique_ptr<nn::VideoDiT> make_model(const Config& config,
                                                       const ClipFormat& clips);

}  // namespace eflow::trainer

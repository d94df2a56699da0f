#pragma once
// Between the [model] section and the network's own configuration.

#include <functional>
#include <memory>

#include "eflow/nn/video_dit.hpp"
#include "eflow/trainer/config.hpp"

namespace eflow::trainer {

/// The clips that a model is for; comes from the data set, not from the configuration.
struct ClipFormat {
  std::int64_t channels = 0, frames = 0, height = 0, width = 0;
  std::int64_t classes = 0;
  std::int64_t context_dim = 0;  ///< E of the context tokens; 0: none
  [[nodiscard]] Shape shape() const { return {channels, frames, height, width}; }
};

/// Sets the [model] values that were not given to those of model.preset ("custom": leaves all).
void apply_preset(Config* config, const std::function<bool(const std::string& key)>& given);

/// The network for these clips. Throws InvalidArgument naming the model.* key that does not fit them.
[[nodiscard]] nn::DiTConfig dit_config(const Config& config, const ClipFormat& clips);

/// Whether a run trains to make clips chunk by chunk: an AnyFlow stage of a model that has chunks. A
/// stage of EFlow's losses, such as the teacher's, sees whole clips.
[[nodiscard]] bool is_causal(const Config& config);

/// train.precision: what blocks compute in.
[[nodiscard]] DType compute_dtype(const Config& config);

/// A model whose weights are drawn from train.seed, on the default device.
[[nodiscard]] std::unique_ptr<nn::VideoDiT> make_model(const Config& config,
                                                       const ClipFormat& clips);

}  // namespace eflow::trainer

#pragma once
// Fits the weights of one model to another that has other embedders: an AnyFlow stage after an EFlow
// run that takes the guidance scale, a flow map after a network of velocities. The second model then
// computes what the first did.

#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct FittedWeights {
  nn::NamedTensors weights = {};        ///< under the names of the second model
  std::vector<std::string> notes = {};  ///< what was added, dropped or folded; one sentence each
};

/// Fits `weights` of a model `from` to a model `to`.
/// - `from` takes the guidance scale and `to` does not: the embedding of w = `guidance` is added to
///   time.out.bias, where it has the same effect, and guidance.* is dropped.
/// - `to` takes it and `from` does not: an embedding that begins at zero.
/// - `to` embeds the gap and `from` does not: gap.in is a copy of time.in, gap.out begins at zero, so
///   F(x, t, s) begins as the velocity F(x, t) for every s.
/// - `to` has the long residual and `from` has not: a fusion that begins by passing on the middle.
/// Names and shapes are not checked otherwise: VideoDiT::load_state() does. Throws InvalidArgument
/// naming both values if the models read equal weights differently (heads, gap, time_scale,
/// prediction).
[[nodiscard]] FittedWeights fit_weights(const nn::NamedTensors& weights, const nn::DiTConfig& from,
                                        const nn::DiTConfig& to, double guidance);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// GivenFrames: training with known first frames, so that a model continues frames that it is given:
// image to video, and the continuation of clips. The known frames enter the network without noise,
// at time 0 (nn::Condition::given); they are solved exactly, so they add nothing to a loss.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {
struct Condition;
}

namespace eflow::soflow {

struct Batch;

struct GivenFrames {
  double share = 0;          ///< of the samples that train with given frames; 0: none
  std::int64_t most = 1;     ///< a sample is given 1 to `most` token frames, equally likely
  std::int64_t patch_t = 1;  ///< frames per token frame
};

/// Returns the number of token frames that each sample is given, less than `token_frames` each.
[[nodiscard]] std::vector<std::int64_t> draw_given(const GivenFrames& law, const RandomKey& key,
                                                   const std::vector<std::int64_t>& ids,
                                                   std::int64_t token_frames);

/// Gives each sample the first frames of its own clip, x0 [B, C, T, H, W]. Does nothing if
/// law.share is 0.
void give_frames(const GivenFrames& law, const RandomKey& key, const Batch& batch,
                 nn::Condition* condition);

/// Returns [B, token_frames] in the dtype and on the device of `like`: 1 for the first counts[b]
/// token frames of sample b, else 0. The form of nn::Condition::known.
[[nodiscard]] Tensor first_frames_known(const std::vector<std::int64_t>& counts,
                                        std::int64_t token_frames, const Tensor& like);

}  // namespace eflow::soflow

EFLOW_EXPORT_END

#pragma once
// ClipClassifier: a small transformer over space and time that predicts a clip's label, or several.
// It judges generated clips; it is trained on the data set at hand and is never part of the
// generator.

#include <deque>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/self_attention.hpp"
#include "eflow/nn/layers/feed_forward.hpp"
#include "eflow/nn/layers/norm_layers.hpp"
#include "eflow/nn/layers/patch.hpp"
#include "eflow/nn/layers/rope3d.hpp"
#include "eflow/trainer/config/model_config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct ClassifierConfig {
  std::int64_t width = 96, heads = 3, blocks = 2;
};

/// Patch embedding, pre-norm transformer blocks with softmax attention, mean over tokens, linear
/// head. Patches are at most 2 x 8 x 8 and divide the clips evenly.
class ClipClassifier : public nn::Module {
 public:
  /// `outputs` is the number of logits: the classes of all heads.
  ClipClassifier(const nn::Scope& scope, const ClipFormat& clips, std::int64_t outputs,
                 const ClassifierConfig& config = {});

  /// The input of the last layer, by which clips are compared: x [B, C, T, H, W] -> [B, width].
  [[nodiscard]] Tensor features(const Tensor& x) const;
  /// x [B, C, T, H, W] -> logits [B, outputs].
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return head_(features(x)); }

 private:
  /// y = x + attention(norm(x)), then y + feed_forward(norm(y)).
  class Block : public nn::Module {
   public:
    Block(const nn::Scope& scope, const ClassifierConfig& config);
    [[nodiscard]] Tensor operator()(const Tensor& x, const nn::RopeTables& tables) const;

   private:
    nn::LayerNorm attention_norm_, feed_forward_norm_;
    nn::SelfAttention attention_;
    nn::FeedForward feed_forward_;
  };

  nn::PatchEmbed patch_;
  nn::RopeTables tables_;
  Tensor positions_;
  std::deque<Block> blocks_;  // a deque, as modules cannot be moved
  nn::LayerNorm norm_;
  nn::Linear head_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

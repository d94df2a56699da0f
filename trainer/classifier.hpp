#pragma once
// ClipClassifier: a small transformer over space and time that reads a clip's label. It is the judge of generated clips:
// made of our own modules, trained on the data set at hand, never part of the generator.

#include <deque>

#include "eflow/nn/feed_forward.hpp"
#include "eflow/nn/norm_layers.hpp"
#include "eflow/nn/patch.hpp"
#include "eflow/nn/self_attention.hpp"
#include "eflow/trainer/model_config.hpp"

namespace eflow::trainer {

struct ClassifierConfig {
  std::int64_t width = 96, heads = 3, blocks = 2;
};

/// The largest divisors of frames, height and width that give patches of at most 2 x 8 x 8.
[[nodiscard]] nn::Patch classifier_patch(const ClipFormat& clips);

class ClipClassifier : public nn::Module {
 public:
  ClipClassifier(const nn::Scope& scope, const ClipFormat& clips,
                 const ClassifierConfig& config = {});

  /// What the last layer sees, by which clips are compared: x [B, C, T, H, W] -> [B, width]
  [[nodiscard]] Tensor features(const Tensor& x) const;
  /// x [B, C, T, H, W] -> logits [B, classes]
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return head_(features(x)); }

 private:
  /// x + attention(norm(x)), then x + feed_forward(norm(x)).
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
  std::deque<Block> blocks_;
  nn::LayerNorm norm_;
  nn::Linear head_;
};

}  // namespace eflow::trainer

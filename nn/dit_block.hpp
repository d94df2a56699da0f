#pragma once
// DiTBlock: self-attention, optional cross-attention and feed-forward around a residual stream, the
// first and the last modulated by the condition. [Wan 2.1]

#include <memory>

#include "eflow/nn/adaln.hpp"
#include "eflow/nn/cross_attention.hpp"
#include "eflow/nn/feed_forward.hpp"
#include "eflow/nn/mix_feed_forward.hpp"
#include "eflow/nn/self_attention.hpp"

namespace eflow::nn {

/// What all blocks of a stage share.
struct BlockInputs {
  Tensor modulation;   ///< [B, 6, D], of SharedModulation
  TokenPlaces places;  ///< of the stage's tokens
  Tensor context;      ///< [B, L, D] for cross-attention, else undefined
};

class DiTBlock : public Module {
 public:
  struct Options {
    std::int64_t width = 0, hidden = 0;
    int heads = 1;
    bool cross_attention = false;
    bool mix_feed_forward = false;  ///< Mix-FFN instead of the plain one
    AttentionOptions attention;
  };
  DiTBlock(const Scope& scope, const Options& options);

  /// x [B, N, D] -> [B, N, D]
  [[nodiscard]] Tensor operator()(const Tensor& x, const BlockInputs& in) const;
  /// See Mixer::prepare.
  void prepare(int kept_percent, bool gradients, std::int64_t radius) const;

 private:
  ModulationTable modulation_;
  SelfAttention attention_;
  std::unique_ptr<LayerNorm> cross_norm_;
  std::unique_ptr<CrossAttention> cross_attention_;
  std::unique_ptr<FeedForward> feed_forward_;  ///< one of the two
  std::unique_ptr<MixFeedForward> mix_feed_forward_;
};

}  // namespace eflow::nn

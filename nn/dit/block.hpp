#pragma once
// DiTBlock: self-attention, optional cross-attention and a feed-forward on a residual stream. The
// condition modulates self-attention and feed-forward (adaLN). [Wan 2.1]

#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/cross_attention.hpp"
#include "eflow/nn/attention/self_attention.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/layers/adaln.hpp"
#include "eflow/nn/layers/feed_forward.hpp"
#include "eflow/nn/layers/mix_feed_forward.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Inputs shared by the blocks of a stage.
struct BlockInputs {
  Tensor modulation = {};   ///< [R, 6, D], of SharedModulation; R as for BranchModulation
  TokenLayout layout = {};  ///< of the stage's tokens
  Tensor context = {};      ///< [B, L, D] for cross-attention, else undefined
  /// The block's keys and values of the context, which it computes if they are undefined; or nullptr.
  ContextKeys* context_keys = nullptr;
};

/// A residual stream whose last branch is not added yet, so that the next block adds it in the pass
/// that normalises the sum.
struct OpenResidual {
  Tensor x = {};                 ///< [B, N, D]
  Tensor y = {};                 ///< the branch, or undefined if there is none
  BranchModulation branch = {};  ///< its gate
  /// Returns the stream with the branch added.
  [[nodiscard]] Tensor closed() const { return y.defined() ? branch.residual(x, y) : x; }
};

class DiTBlock : public Module {
 public:
  struct Options {
    std::int64_t width = 0, hidden = 0;
    int heads = 1;
    bool cross_attention = false;
    bool mix_feed_forward = false;  ///< Mix-FFN instead of the plain feed-forward
    AttentionOptions attention = {};
  };
  DiTBlock(const Scope& scope, const Options& options);

  /// x [B, N, D] -> [B, N, D]
  [[nodiscard]] Tensor operator()(const Tensor& x, const BlockInputs& in) const {
    return open({.x = x}, in).closed();
  }
  /// Same, from and to a stream whose last branch is still to be added.
  [[nodiscard]] OpenResidual open(const OpenResidual& before, const BlockInputs& in) const;
  /// Compiles the kernels of later calls; see Mixer::prepare().
  void prepare(int kept_percent, bool gradients, std::int64_t radius) const;

 private:
  [[nodiscard]] ContextKeys context_keys(const BlockInputs& in) const;

  ModulationTable modulation_;
  SelfAttention attention_;
  std::unique_ptr<LayerNorm> cross_norm_;
  std::unique_ptr<CrossAttention> cross_attention_;
  std::unique_ptr<FeedForward> feed_forward_;  ///< this or mix_feed_forward_
  std::unique_ptr<MixFeedForward> mix_feed_forward_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

#pragma once
// VSA, video sparse attention: a gated coarse softmax over the means of token cubes, plus a fine
// softmax over the tokens of the cubes with the highest coarse scores. [hao-ai-lab/FastVideo]
//
//   o = spread(softmax(Q K^T / sqrt(d)) V) * (W x + b) + block_softmax(q, k, v)
//
// Q, K, V are the cubes' means; spread() broadcasts a cube's result to its tokens.

#include "eflow/nn/attention/mixer.hpp"
#include "eflow/nn/layers/linear.hpp"

namespace eflow::nn {

/// Returns the edge of a cube of `tokens` tokens. Throws InvalidArgument unless it is a cube
/// number.
[[nodiscard]] std::int64_t cube_edge(std::int64_t tokens);

class VsaAttention : public Mixer {
 public:
  VsaAttention(const Scope& scope, std::int64_t width, const AttentionOptions& options);
  /// Throws InvalidArgument if in.layout.grid is unknown.
  [[nodiscard]] Tensor operator()(const MixInputs& in) const override;

 private:
  AttentionOptions options_;
  Linear gate_;
};

}  // namespace eflow::nn

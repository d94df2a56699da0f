#pragma once
// VSA, video sparse attention: softmax over the means of cubes of tokens, gated, and softmax over
// the tokens of the cubes that it looks at most.  [hao-ai-lab/FastVideo]
//
//   o = (softmax(Q K^T / sqrt(d)) V, told to the cube's tokens) * (W x + b) + block_softmax(q, k, v)

#include "eflow/nn/linear.hpp"
#include "eflow/nn/mixer.hpp"

namespace eflow::nn {

/// The edge of a cube of so many tokens. Throws InvalidArgument where there is none.
[[nodiscard]] std::int64_t cube_edge(std::int64_t tokens);

class VsaAttention : public Mixer {
 public:
  VsaAttention(const Scope& scope, std::int64_t width, const AttentionOptions& options);
  /// Throws InvalidArgument where the tokens' grid is unknown.
  [[nodiscard]] Tensor operator()(const MixInputs& in) const override;

 private:
  AttentionOptions options_;
  Linear gate_;
};

}  // namespace eflow::nn

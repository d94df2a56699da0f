#pragma once
// Attention of a clip whose tokens are divided over ranks: each computes the outputs of its own
// tokens.
//
// - Linear branch: the sum of the ranks' states, d x d numbers per head, whatever the clip's
//   length.
// - Window: the keys within the radius, from as many ranks as they are on.
// - Softmax over all keys: keys and values of all ranks while the layer runs, and again in its
//   backward pass; nothing of size N x N.

#include "eflow/nn/attention/fused_attention.hpp"
#include "eflow/nn/attention/sequence_part.hpp"

namespace eflow::nn {

struct PartInputs {
  Tensor q = {}, k = {}, v = {};  ///< [B, m, H, d], rotated, of this rank's tokens
  Tensor gates = {}, global_weight = {}, local_weight = {};  ///< as in glga()
};

/// glga() of this rank's tokens, [B, m, H, d]. options: without positions. `window` runs the
/// softmax branch.
[[nodiscard]] Tensor glga_of_part(const PartInputs& in, const GlgaOptions& options,
                                  WindowIndex index, const SequencePart& part,
                                  const FusedAttention& window);

/// Softmax over the keys of all ranks, for this rank's queries, [B, m, H, d].
[[nodiscard]] Tensor softmax_of_part(const Tensor& q, const Tensor& k, const Tensor& v,
                                     const SequencePart& part, const SoftmaxAttention& softmax);

}  // namespace eflow::nn

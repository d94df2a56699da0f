#include "eflow/nn/attention/sla_attention.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/block_softmax.hpp"
#include "eflow/nn/attention/linear_state.hpp"
#include "eflow/nn/attention/token_layout.hpp"

namespace eflow::nn {
namespace {

constexpr double kEps = 1e-5;

/// Selects the key blocks of each query block by their mean queries and mean centred keys.
Tensor choose(const TokenBlocks& blocks, const Tensor& q, const Tensor& k, double share) {
  const NoGrad off;
  const Tensor query = permute(blocks.means(blocks.gather(q)), {0, 2, 1, 3});
  const Tensor key = permute(blocks.means(blocks.gather(k - mean(k, {1}, true))), {0, 2, 3, 1});
  Tensor scores = matmul(query, key);
  if (blocks.block_mask().defined())
    scores = scores + reshape(blocks.block_mask(), {q.size(0), 1, 1, blocks.blocks()});
  return best_blocks(scores, chosen_count(blocks.blocks(), share));
}

}  // namespace

Tensor channel_softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor query = softmax(q), key = softmax(k);
  const Tensor numerator = read_state(query, linear_state(key, v));
  return numerator / (sum(query * sum(key, {1}, true), {3}, true) + kEps);
}

SlaAttention::SlaAttention(const Scope& scope, std::int64_t width, int heads,
                           const AttentionOptions& options)
    : Mixer(scope),
      options_(options),
      out_(child("out"), width / heads, width / heads, constant_init(0)) {}

Tensor SlaAttention::operator()(const MixInputs& in) const {
  const Tensor q = in.rotated(in.q), k = in.rotated(in.k);
  const TokenBlocks blocks = TokenBlocks::in_order(q, options_.block);
  const Tensor chosen = choose(blocks, q.detach(), k.detach(), options_.block_share);
  const Tensor sparse = blocks.scatter(
      block_softmax(blocks, blocks.gather(q), blocks.gather(k), blocks.gather(in.v), chosen));
  return reshape(sparse + out_(channel_softmax_attention(q, k, in.v)), in.x.shape());
}

}  // namespace eflow::nn

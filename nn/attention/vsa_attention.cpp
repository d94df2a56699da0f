#include "eflow/nn/attention/vsa_attention.hpp"

#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/block_softmax.hpp"
#include "eflow/nn/attention/token_layout.hpp"

namespace eflow::nn {

std::int64_t cube_edge(std::int64_t tokens) {
  const std::int64_t edge = std::llround(std::cbrt(static_cast<double>(tokens)));
  if (tokens < 1 || edge * edge * edge != tokens) {
    throw InvalidArgument(
        str("[vsa] a block of ", tokens, " tokens is not a cube; use 1, 8, 27, 64, 125, ..."));
  }
  return edge;
}

VsaAttention::VsaAttention(const Scope& scope, std::int64_t width, const AttentionOptions& options)
    : Mixer(scope), options_(options), gate_(child("gate"), width, width) {
  static_cast<void>(cube_edge(options.block));
}

Tensor VsaAttention::operator()(const MixInputs& in) const {
  const TokenLayout& layout = in.layout;
  if (layout.grid.count() == 0)
    throw InvalidArgument("[vsa] the cubes require the token grid; set layout.grid");
  const Tensor all_q = in.rotated(in.q), all_k = in.rotated(in.k);
  const TokenBlocks cubes =
      TokenBlocks::in_cubes(all_q, layout.grid, cube_edge(options_.block), layout.positions);
  const Tensor q = cubes.gather(all_q), k = cubes.gather(all_k), v = cubes.gather(in.v);

  const auto by_head = [&](const Tensor& t) { return transpose(cubes.means(t), 1, 2); };
  const double tau = 1 / std::sqrt(static_cast<double>(in.q.size(3)));
  Tensor scores = matmul(by_head(q), transpose(by_head(k), 2, 3)) * tau;
  if (cubes.block_mask().defined())
    scores = scores + reshape(cubes.block_mask(), {q.size(0), 1, 1, cubes.blocks()});
  const Tensor coarse = cubes.spread(transpose(matmul(softmax(scores), by_head(v)), 1, 2));

  const Tensor chosen =
      best_blocks(scores.detach(), chosen_count(cubes.blocks(), options_.block_share));
  const Tensor fine = cubes.scatter(block_softmax(cubes, q, k, v, chosen));
  const Shape shape = in.x.shape();
  return mul_add(reshape(coarse, shape), gate_(in.x), reshape(fine, shape));
}

}  // namespace eflow::nn

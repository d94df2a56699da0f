#pragma once
// Ops of a sequence that is divided over ranks: each rank has a contiguous range of the tokens. All
// ranks of the communicator must call the same ops in the same order; backward() then does so too.
// Sums have a fixed order, so the same division gives the same bits.
//
// A loss that is computed from joined values is computed on every rank, from the same bits. Each
// rank's backward pass then follows its own tokens, and the gradient of a weight is the sum over
// the ranks.

#include <cstdint>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/comm/shard_tree.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Which tokens each rank has, and which keys it needs.
struct TokenDivision {
  /// Of each rank: a contiguous range of the tokens, in rank order.
  std::vector<comm::ShardRange> own = {};
  /// Of each rank: the keys that its queries may meet, a range that includes its own tokens.
  std::vector<comm::ShardRange> reach = {};
};

struct SharedKeys {
  Tensor keys = {}, values = {};  ///< [B, n, H, d], of the tokens in this rank's reach
  /// [B, H, d, d], sum_j k_j^T v_j over the tokens of all ranks, in f32 for bf16 keys; undefined
  /// unless asked for.
  Tensor state = {};
};

/// Exchanges what attention needs of other ranks' tokens: keys and values in reach, and with
/// `with_state` the state of linear attention. k, v [B, m, H, d] of this rank's tokens. The state
/// is computed while keys are on their way. Differentiable. Throws ShapeError, comm::PeerError.
[[nodiscard]] SharedKeys share_keys(const Tensor& k, const Tensor& v, const TokenDivision& division,
                                    bool with_state, comm::Communicator* ranks);

/// The sum of x over all ranks, by the tree of comm::ShardSum: the same bits on each. x f32 or f64.
/// The gradient is the sum of the ranks' gradients.
[[nodiscard]] Tensor sum_over_ranks(const Tensor& x, comm::Communicator* ranks);

/// This rank's range of an axis of x, which all ranks have. The gradient is joined.
[[nodiscard]] Tensor own_slice(const Tensor& x, int axis,
                               const std::vector<comm::ShardRange>& slices,
                               comm::Communicator* ranks);
/// The slices of all ranks as one tensor. The gradient is this rank's slice, because every rank
/// computes the whole loss.
[[nodiscard]] Tensor join_slices(const Tensor& slice, int axis,
                                 const std::vector<comm::ShardRange>& slices,
                                 comm::Communicator* ranks);

}  // namespace eflow

EFLOW_EXPORT_END

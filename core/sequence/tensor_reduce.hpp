#pragma once
// The sum of a tensor over ranks in a fixed order: the tree of shard_tree.hpp with one shard per
// rank. Ranks exchange slices all-to-all, and each adds its slice where the tensor is.

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// Replaces the values of slice_of(rank(), size(), x.count()) by their sums over all ranks; the
/// others stay. x: a contiguous scratch tensor, f32 or f64, of the same size on all ranks. Throws
/// PeerError.
void reduce_scatter(Communicator* ranks, const Tensor& x, const Call& call);
/// Replaces all values by their sums over all ranks: the same bits on every rank.
void all_reduce(Communicator* ranks, const Tensor& x, const Call& call);
/// Copies the values of rank `root` to all others.
void broadcast(Communicator* ranks, const Tensor& x, int root, const Call& call);

}  // namespace eflow::comm

EFLOW_EXPORT_END

#pragma once
// Sums over the ranks in a fixed order: the tree of shard_tree.hpp with one shard per rank. For
// small host values; the gradients have more shards than ranks.

#include <span>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/comm/shard_tree.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// Part [begin, end) of `count` values that rank r owns when they are divided evenly.
[[nodiscard]] ShardRange slice_of(int rank, int ranks, std::int64_t count);

/// Replaces the values of slice_of(rank(), size(), count) by their sums over all ranks; the other
/// values are unspecified afterwards. `values` has the same size on all ranks.
void reduce_scatter(Communicator* ranks, std::span<float> values, const Call& call);
void reduce_scatter(Communicator* ranks, std::span<double> values, const Call& call);
/// Replaces all values by their sums over all ranks: the same bits on every rank.
void all_reduce(Communicator* ranks, std::span<float> values, const Call& call);
void all_reduce(Communicator* ranks, std::span<double> values, const Call& call);

}  // namespace eflow::comm

EFLOW_EXPORT_END

#pragma once
// BucketSum: the sum over all shards of a step of one bucket of the gradient. Shards are added over
// the fixed tree of core/comm/shard_tree.hpp: on a rank as they come, then across ranks, where each
// rank adds its slice (ZeRO-2: no rank ever holds the whole sum).

#include <map>
#include <memory>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/comm/shard_tree.hpp"
#include "eflow/core/sequence/tensor_messages.hpp"

namespace eflow::trainer {

/// Which shards of a step are whose.
struct ShardDivision {
  comm::Communicator* ranks = nullptr;
  std::int64_t shards = 1;  ///< of the step
  int sequence = 1;         ///< consecutive ranks that have the same shards, and of each a part

  [[nodiscard]] comm::ShardRange of(int rank) const {
    return comm::shards_of(rank / sequence, ranks->size() / sequence, shards);
  }
};

class BucketSum {
 public:
  /// slices: of each rank, in values of the bucket's row.
  BucketSum(std::vector<comm::ShardRange> slices, const ShardDivision& division);

  /// Adds this rank's gradient of a shard. Shards must come in order.
  void add(std::int64_t shard, const Tensor& row);
  /// Sends the other ranks their slices of what was added: all shards of this rank. Every rank must
  /// start the same buckets in the same order. step: for labels. Throws PeerError.
  void start(std::int64_t step);
  /// Waits for the others and returns the sum of this rank's slice; the bucket is empty again.
  /// Throws PeerError.
  [[nodiscard]] Tensor finish();

 private:
  struct Exchange {
    std::map<comm::ShardNode, Tensor> own;  ///< sums of this rank's shards
    comm::TensorMessages messages;
    std::vector<Tensor> received;  ///< of each rank: its sums of this rank's slice, end to end
  };

  std::vector<comm::ShardRange> slices_;
  ShardDivision division_;
  comm::ShardSum<Tensor> sum_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace eflow::trainer

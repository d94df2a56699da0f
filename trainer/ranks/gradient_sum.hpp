#pragma once
// GradientSum: the gradient of a step that is divided into V shards. Each shard's gradient is its own
// backward pass. They are added over the fixed tree of core/comm/shard_tree.hpp: on a rank as they
// come, then across ranks, where each rank adds the slices that it updates (ZeRO-2: no rank ever
// holds the whole sum). The result does not depend on the number of ranks.

#include "eflow/core/comm/communicator.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"

namespace eflow::trainer {

class GradientSum {
 public:
  /// Parameters of one dtype, f32 or f64. `ranks` must outlive this object. sequence: consecutive
  /// ranks that have the same shards, and of each shard's gradient a part. The parts' sums over the
  /// shards are added last, so the result depends on `sequence`.
  GradientSum(nn::NamedTensors parameters, std::int64_t shards, comm::Communicator* ranks,
              int sequence = 1);

  [[nodiscard]] const FlatLayout& layout() const { return layout_; }
  /// The shards of this rank.
  [[nodiscard]] const comm::ShardRange& shards() const { return range_; }
  /// The tensors that finish() gives gradients to: this rank's slice of the parameters.
  [[nodiscard]] const nn::NamedTensors& own() const { return own_; }

  /// Takes the gradients that the backward pass of a shard left in the parameters. Shards must come
  /// in order. With a single shard, leaves them where they are.
  void take(std::int64_t shard);
  /// Adds the shards of all ranks and sets the gradients of own(). A parameter that no shard gave a
  /// gradient gets none. step: for labels. Throws PeerError.
  void finish(std::int64_t step);
  /// Of each parameter, whether it is only computed with in bf16: a matrix of which some rank has had
  /// a bf16 copy at the last finish() or finish_everywhere(). The same on all ranks.
  [[nodiscard]] const std::vector<bool>& narrow() const { return narrow_; }
  /// As finish(), but every rank gets the gradients of all parameters: for parameters that all ranks
  /// update alike.
  void finish_everywhere(std::int64_t step);

 private:
  /// Whether the gradients of the only backward pass are the sum.
  [[nodiscard]] bool is_trivial() const { return total_shards_ == 1 && ranks_->size() == 1; }
  [[nodiscard]] comm::ShardRange shards_of(int rank) const;
  void agree_on_present(std::int64_t step);
  [[nodiscard]] Tensor sum_slices(std::int64_t step);
  void hand_out(const std::vector<Piece>& pieces, const nn::NamedTensors& targets,
                const Tensor& values, std::int64_t first);

  nn::NamedTensors parameters_;
  std::int64_t total_shards_;
  int sequence_;
  comm::Communicator* ranks_;
  FlatLayout layout_;
  comm::ShardRange range_;
  nn::NamedTensors own_;
  comm::ShardSum<Tensor> sum_;
  std::string present_;  ///< of each parameter: '1' if a shard had a gradient
  std::vector<bool> narrow_;
};

}  // namespace eflow::trainer

#pragma once
// GradientSum: the gradient of a step that is divided into V shards. Each shard's gradient is its own
// backward pass. They are summed bucket by bucket (bucket_sum.hpp); a bucket of which all shards of
// this rank are known travels while the backward pass computes the others. The result depends neither
// on the number of ranks nor on the buckets.

#include <unordered_map>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/trainer/ranks/bucket_sum.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"

namespace eflow::trainer {

class GradientSum {
 public:
  /// Parameters of one dtype, f32 or f64. `division.ranks` must outlive this object. The sums of the
  /// parts of a clip are added last, so the result depends on `division.sequence`. slice: of a bucket,
  /// for FlatLayout.
  GradientSum(nn::NamedTensors parameters, const ShardDivision& division,
              std::int64_t slice = FlatLayout::kOneBucket);

  [[nodiscard]] const FlatLayout& layout() const { return layout_; }
  /// The shards of this rank.
  [[nodiscard]] const comm::ShardRange& shards() const { return range_; }
  /// The tensors that finish() gives gradients to: this rank's slices of the parameters.
  [[nodiscard]] const nn::NamedTensors& own() const { return own_; }

  /// Differentiates the last loss of a shard, which completes its gradient, and takes that from the
  /// parameters. Shards must come in order. With a single shard, leaves it where it is. step: for
  /// labels. Throws what backward() throws, and PeerError.
  void backward_and_take(const Tensor& loss, std::int64_t shard, std::int64_t step);
  /// Adds the shards of all ranks and sets the gradients of own(). A parameter that no shard gave a
  /// gradient gets none. Throws PeerError.
  void finish(std::int64_t step);
  /// Of each parameter, whether it is only computed with in bf16: a matrix of which some rank has had
  /// a bf16 copy at the last finish() or finish_everywhere(). The same on all ranks.
  [[nodiscard]] const std::vector<bool>& narrow() const { return narrow_; }
  /// As finish(), but every rank gets the gradients of all parameters: for parameters that all ranks
  /// update alike.
  void finish_everywhere(std::int64_t step);

 private:
  /// Whether the gradients of the only backward pass are the sum.
  [[nodiscard]] bool is_trivial() const {
    return division_.shards == 1 && division_.ranks->size() == 1;
  }
  /// Whether messages move on while this rank computes.
  [[nodiscard]] bool can_overlap() const;
  /// Takes the gradient of a shard's next bucket: they go from the last parameters, which the
  /// backward pass reaches first, to the first ones.
  void take_bucket(std::int64_t shard, std::int64_t step);
  void agree_on_present(std::int64_t step);
  [[nodiscard]] std::vector<Tensor> sum_slices(std::int64_t step);
  /// Sets the gradient of a parameter, or of a piece of it, to values of a row.
  void give(const Tensor& target, std::size_t parameter, const Tensor& row, std::int64_t offset);

  nn::NamedTensors parameters_;
  ShardDivision division_;
  FlatLayout layout_;
  comm::ShardRange range_;
  nn::NamedTensors own_;
  std::vector<BucketSum> sums_;  ///< of each bucket
  std::size_t left_ = 0;         ///< buckets of the current shard that are not taken yet
  std::unordered_map<const detail::TensorNode*, std::size_t> bucket_of_;  ///< of each parameter
  std::string present_;  ///< of each parameter: '1' if a shard had a gradient
  std::vector<bool> narrow_;
};

}  // namespace eflow::trainer

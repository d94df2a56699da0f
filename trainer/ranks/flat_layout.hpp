#pragma once
// FlatLayout: all parameters of a model as one row of values, divided into buckets of consecutive
// parameters, and each bucket into one slice per rank. Each rank updates its slices (ZeRO-1, arXiv
// 1910.02054); a bucket's gradient can be exchanged before those of the others are known. Slices end
// where blocks of the update's kernels end, so the sums of the gradient norm are those of one rank.

#include <cstdint>
#include <limits>
#include <vector>

#include "eflow/core/comm/shard_tree.hpp"
#include "eflow/nn/layers/module.hpp"

namespace eflow::trainer {

/// Contiguous values of one parameter.
struct Piece {
  std::size_t parameter = 0;  ///< its number in the list
  std::int64_t begin = 0, count = 0;
  std::int64_t offset = 0;  ///< of its first value in the row of the pieces that it is one of
};

class FlatLayout {
 public:
  static constexpr std::int64_t kOneBucket = std::numeric_limits<std::int64_t>::max();

  /// Parameters must be contiguous; the layout depends on their sizes only. A bucket ends with the
  /// parameter that brings it to `slice` values per rank.
  FlatLayout(const nn::NamedTensors& parameters, int ranks, std::int64_t slice = kOneBucket);

  struct Bucket {
    std::size_t first = 0, last = 0;            ///< parameters [first, last)
    std::int64_t offset = 0, count = 0;         ///< values of the row
    std::vector<comm::ShardRange> slices = {};  ///< of each rank, in values of the bucket
    std::vector<std::int64_t> blocks = {};      ///< of the update's kernels in each slice
  };

  /// Number of values of the row.
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] int ranks() const { return ranks_; }
  [[nodiscard]] const std::vector<Bucket>& buckets() const { return buckets_; }
  /// Number of values in the slices of a rank.
  [[nodiscard]] std::int64_t count(int rank) const;
  /// Blocks of the update's kernels in the slices of a rank.
  [[nodiscard]] std::int64_t blocks(int rank) const;
  /// The slices of a rank, one after the other: at most one piece per parameter, in their order.
  [[nodiscard]] std::vector<Piece> pieces(int rank) const;
  /// Every parameter as one piece of the whole row.
  [[nodiscard]] std::vector<Piece> parameters() const;

 private:
  std::vector<std::int64_t> sizes_;
  std::vector<Bucket> buckets_;
  std::int64_t count_ = 0;
  int ranks_;
};

/// The values [begin, begin + count) of a contiguous tensor, as a row that shares its memory.
[[nodiscard]] Tensor part_of(const Tensor& tensor, std::int64_t begin, std::int64_t count);

/// The pieces of the tensors that belong to a rank, as rows that share their memory, named as the
/// tensors; the tensors themselves if there is one rank.
[[nodiscard]] nn::NamedTensors own_part(const FlatLayout& layout, const nn::NamedTensors& tensors,
                                        int rank);

}  // namespace eflow::trainer

#pragma once
// FlatLayout: all parameters of a model as one row of values, divided into one slice per rank. Each
// rank updates its slice (ZeRO-1, arXiv 1910.02054). Slices end where blocks of the update's kernels
// end, so the sums of the gradient norm are those of one rank.

#include <cstdint>
#include <vector>

#include "eflow/core/comm/shard_tree.hpp"
#include "eflow/nn/layers/module.hpp"

namespace eflow::trainer {

/// Contiguous values of one parameter.
struct Piece {
  std::size_t parameter = 0;  ///< its number in the list
  std::int64_t begin = 0, count = 0;
  std::int64_t offset = 0;  ///< of its first value in the row
};

class FlatLayout {
 public:
  /// Parameters must be contiguous; the layout depends on their sizes only.
  FlatLayout(const nn::NamedTensors& parameters, int ranks);

  /// Number of values of the row.
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] int ranks() const { return static_cast<int>(slices_.size()); }
  /// Values [first, last) of the row.
  [[nodiscard]] const comm::ShardRange& slice(int rank) const {
    return slices_.at(static_cast<std::size_t>(rank));
  }
  /// Blocks of the update's kernels in the slice.
  [[nodiscard]] std::int64_t blocks(int rank) const {
    return blocks_.at(static_cast<std::size_t>(rank));
  }
  /// The pieces of a slice, in order: at most one per parameter.
  [[nodiscard]] std::vector<Piece> pieces(int rank) const;
  /// Every parameter as one piece.
  [[nodiscard]] std::vector<Piece> parameters() const;

 private:
  std::vector<std::int64_t> sizes_;
  std::vector<comm::ShardRange> slices_;
  std::vector<std::int64_t> blocks_;
  std::int64_t count_ = 0;
};

/// The values [begin, begin + count) of a contiguous tensor, as a row that shares its memory.
[[nodiscard]] Tensor part_of(const Tensor& tensor, std::int64_t begin, std::int64_t count);

/// The pieces of the tensors that belong to a rank, as rows that share their memory, named as the
/// tensors; the tensors themselves if there is one rank.
[[nodiscard]] nn::NamedTensors own_part(const FlatLayout& layout, const nn::NamedTensors& tensors,
                                        int rank);

}  // namespace eflow::trainer

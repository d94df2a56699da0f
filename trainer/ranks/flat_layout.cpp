#include "eflow/trainer/ranks/flat_layout.hpp"

#include <algorithm>
#include <span>

#include "eflow/core/ops/parameter_list.hpp"

namespace eflow::trainer {
namespace {

/// Divides a bucket of parameters of these sizes.
void divide(std::span<const std::int64_t> sizes, std::size_t ranks, FlatLayout::Bucket* bucket) {
  constexpr std::int64_t kPerBlock = ParameterList::kPerBlock;
  std::vector<std::int64_t> ends;  // of all blocks
  for (const std::int64_t size : sizes) {
    for (std::int64_t begin = 0; begin < size; begin += kPerBlock)
      ends.push_back(bucket->count + std::min(begin + kPerBlock, size));
    bucket->count += size;
  }
  auto end = ends.begin();
  std::int64_t first = 0;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto goal =
        bucket->count * static_cast<std::int64_t>(rank + 1) / static_cast<std::int64_t>(ranks);
    const auto next = std::lower_bound(end, ends.end(), goal);
    const auto after = next == ends.end() ? next : std::next(next);
    bucket->blocks.push_back(after - end);
    const std::int64_t last = after == end ? first : *std::prev(after);
    bucket->slices.push_back({first, last});
    first = last;
    end = after;
  }
}

}  // namespace

FlatLayout::FlatLayout(const nn::NamedTensors& parameters, int ranks, std::int64_t slice)
    : ranks_(ranks) {
  for (const auto& [name, parameter] : parameters) sizes_.push_back(parameter.count());
  for (std::size_t first = 0; first < sizes_.size();) {
    std::size_t last = first;
    for (std::int64_t values = 0; last < sizes_.size() && values / ranks < slice;)
      values += sizes_[last++];
    Bucket next{.first = first, .last = last, .offset = count_};
    divide(std::span(sizes_).subspan(first, last - first), static_cast<std::size_t>(ranks), &next);
    count_ += next.count;
    buckets_.push_back(std::move(next));
    first = last;
  }
}

std::int64_t FlatLayout::count(int rank) const {
  std::int64_t sum = 0;
  for (const Bucket& bucket : buckets_)
    sum += bucket.slices.at(static_cast<std::size_t>(rank)).count();
  return sum;
}

std::int64_t FlatLayout::blocks(int rank) const {
  std::int64_t sum = 0;
  for (const Bucket& bucket : buckets_) sum += bucket.blocks.at(static_cast<std::size_t>(rank));
  return sum;
}

std::vector<Piece> FlatLayout::pieces(int rank) const {
  std::vector<Piece> pieces;
  std::int64_t at = 0;
  for (const Bucket& bucket : buckets_) {
    const comm::ShardRange& own = bucket.slices.at(static_cast<std::size_t>(rank));
    std::int64_t offset = 0;  // of the parameter in the bucket
    for (std::size_t i = bucket.first; i < bucket.last; offset += sizes_[i++]) {
      const std::int64_t first = std::max(own.first, offset);
      const std::int64_t last = std::min(own.last, offset + sizes_[i]);
      if (first >= last) continue;
      pieces.push_back({i, first - offset, last - first, at});
      at += last - first;
    }
  }
  return pieces;
}

std::vector<Piece> FlatLayout::parameters() const {
  std::vector<Piece> pieces;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < sizes_.size(); offset += sizes_[i++])
    pieces.push_back({i, 0, sizes_[i], offset});
  return pieces;
}

Tensor part_of(const Tensor& tensor, std::int64_t begin, std::int64_t count) {
  EFLOW_ASSERT(tensor.is_contiguous() && begin >= 0 && begin + count <= tensor.count());
  return tensor.view({count}, {1}, begin);
}

nn::NamedTensors own_part(const FlatLayout& layout, const nn::NamedTensors& tensors, int rank) {
  if (layout.ranks() == 1) return tensors;
  nn::NamedTensors own;
  for (const Piece& piece : layout.pieces(rank)) {
    const auto& [name, tensor] = tensors[piece.parameter];
    own.emplace_back(name, part_of(tensor, piece.begin, piece.count));
  }
  return own;
}

}  // namespace eflow::trainer

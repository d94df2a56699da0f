#include "eflow/trainer/ranks/flat_layout.hpp"

#include <algorithm>

#include "eflow/core/ops/parameter_list.hpp"

namespace eflow::trainer {

FlatLayout::FlatLayout(const nn::NamedTensors& parameters, int ranks)
    : slices_(static_cast<std::size_t>(ranks)), blocks_(static_cast<std::size_t>(ranks)) {
  constexpr std::int64_t kPerBlock = ParameterList::kPerBlock;
  std::vector<std::int64_t> ends;  // of all blocks
  for (const auto& [name, parameter] : parameters) {
    const std::int64_t size = parameter.count();
    sizes_.push_back(size);
    for (std::int64_t begin = 0; begin < size; begin += kPerBlock)
      ends.push_back(count_ + std::min(begin + kPerBlock, size));
    count_ += size;
  }
  auto end = ends.begin();
  std::int64_t first = 0;
  for (std::size_t rank = 0; rank < slices_.size(); ++rank) {
    const std::int64_t goal = count_ * static_cast<std::int64_t>(rank + 1) / ranks;
    const auto next = std::lower_bound(end, ends.end(), goal);
    const auto after = next == ends.end() ? next : std::next(next);
    blocks_[rank] = after - end;
    const std::int64_t last = after == end ? first : *std::prev(after);
    slices_[rank] = {first, last};
    first = last;
    end = after;
  }
}

std::vector<Piece> FlatLayout::pieces(int rank) const {
  const comm::ShardRange& own = slice(rank);
  std::vector<Piece> pieces;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < sizes_.size(); offset += sizes_[i++]) {
    const std::int64_t first = std::max(own.first, offset);
    const std::int64_t last = std::min(own.last, offset + sizes_[i]);
    if (first < last) pieces.push_back({i, first - offset, last - first, first});
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

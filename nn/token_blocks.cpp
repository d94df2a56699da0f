#include "eflow/nn/token_blocks.hpp"

#include <algorithm>

namespace eflow::nn {
namespace {

constexpr double kHidden = -1e30;

/// Rows of a [rows, ...] table, with `shape` in place of the first axis.
Tensor rows_at(const Tensor& table, const Tensor& ids, Shape shape) {
  Shape rest = table.shape();
  const Tensor flat = reshape(table, {table.size(0), -1});
  for (int i = 1; i < rest.rank(); ++i) shape.push_back(rest[i]);
  return reshape(embedding(flat, ids), shape);
}

/// x [a, b, ...] -> [a b, ...]
Tensor merged(const Tensor& x) {
  Shape shape{x.size(0) * x.size(1)};
  for (int i = 2; i < x.rank(); ++i) shape.push_back(x.size(i));
  return reshape(x, shape);
}

Tensor constant(const std::vector<double>& values, const Shape& shape, const Tensor& like) {
  const NoGrad off;
  return cast(Tensor::from(values, shape, like.device()), like.dtype());
}

}  // namespace

TokenBlocks::TokenBlocks(const Tensor& like, std::int64_t blocks, const Members& members)
    : batch_(like.size(0)), tokens_(like.size(1)), blocks_(blocks), size_(1) {
  for (const auto& block : members)
    size_ = std::max(size_, static_cast<std::int64_t>(block.size()));
  const std::int64_t nothing = batch_ * tokens_;
  std::vector<std::int64_t> taken, back(static_cast<std::size_t>(nothing)), owner(back);
  std::vector<double> share, hides_token, hides_block;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::int64_t first = static_cast<std::int64_t>(i) / blocks * tokens_;
    const auto count = static_cast<std::int64_t>(members[i].size());
    share.push_back(count > 0 ? 1 / static_cast<double>(count) : 0);
    hides_block.push_back(count > 0 ? 0 : kHidden);
    for (std::int64_t place = 0; place < size_; ++place) {
      const bool there = place < count;
      hides_token.push_back(there ? 0 : kHidden);
      const std::int64_t row =
          there ? first + members[i][static_cast<std::size_t>(place)] : nothing;
      if (there) {
        back[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(taken.size());
        owner[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(i);
      }
      taken.push_back(row);
    }
  }
  const DevicePtr& device = like.device();
  gather_ = Tensor::from(taken, {batch_, blocks * size_}, device);
  scatter_ = Tensor::from(back, {batch_, tokens_}, device);
  owner_ = Tensor::from(owner, {batch_, tokens_}, device);
  share_ = constant(share, {batch_, blocks}, like);
  const bool full = std::count(hides_token.begin(), hides_token.end(), 0.0) == nothing;
  if (full && static_cast<std::int64_t>(hides_token.size()) == nothing) return;
  token_mask_ = constant(hides_token, {batch_, blocks, size_}, like);
  block_mask_ = constant(hides_block, {batch_, blocks}, like);
}

TokenBlocks TokenBlocks::in_order(const Tensor& like, std::int64_t size) {
  const std::int64_t batch = like.size(0), tokens = like.size(1),
                     blocks = (tokens + size - 1) / size;
  Members members(static_cast<std::size_t>(batch * blocks));
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t n = 0; n < tokens; ++n)
      members[static_cast<std::size_t>(b * blocks + n / size)].push_back(n);
  }
  return {like, blocks, members};
}

TokenBlocks TokenBlocks::in_cubes(const Tensor& like, const Grid3& grid, std::int64_t edge,
                                  const Tensor& positions) {
  const auto cubes = [edge](std::int64_t n) { return (n + edge - 1) / edge; };
  const std::int64_t batch = like.size(0), tokens = like.size(1);
  const std::int64_t blocks = cubes(grid.t) * cubes(grid.h) * cubes(grid.w);
  const auto places =
      positions.defined() ? positions.to_vector<std::int64_t>() : std::vector<std::int64_t>();
  Members members(static_cast<std::size_t>(batch * blocks));
  for (std::int64_t row = 0; row < batch * tokens; ++row) {
    const std::int64_t place =
        places.empty() ? row % tokens : places[static_cast<std::size_t>(row)];
    const std::int64_t t = place / (grid.h * grid.w), h = place / grid.w % grid.h,
                       w = place % grid.w;
    const std::int64_t cube = (t / edge * cubes(grid.h) + h / edge) * cubes(grid.w) + w / edge;
    members[static_cast<std::size_t>(row / tokens * blocks + cube)].push_back(row % tokens);
  }
  return {like, blocks, members};
}

Tensor TokenBlocks::gather(const Tensor& x) const {
  const Tensor rows = merged(x);
  Shape one = rows.shape();
  one[0] = 1;
  const Tensor table = concat({rows, Tensor::zeros(one, x.dtype(), x.device())}, 0);
  return rows_at(table, gather_, {batch_, blocks_, size_});
}

Tensor TokenBlocks::scatter(const Tensor& y) const {
  return rows_at(merged(merged(y)), scatter_, {batch_, tokens_});
}

Tensor TokenBlocks::means(const Tensor& y) const {
  Shape shape{batch_, blocks_};
  while (shape.rank() + 1 < y.rank()) shape.push_back(1);
  return sum(y, {2}) * reshape(share_, shape);
}

Tensor TokenBlocks::spread(const Tensor& y) const {
  return rows_at(merged(y), owner_, {batch_, tokens_});
}

}  // namespace eflow::nn

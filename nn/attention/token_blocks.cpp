#include "eflow/nn/attention/token_blocks.hpp"

#include <algorithm>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

constexpr double kHidden = -1e30;

/// Gathers rows of a [rows, ...] table; `shape` replaces the first axis.
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
  const std::int64_t empty_row = batch_ * tokens_;
  std::vector<std::int64_t> gathered, back(static_cast<std::size_t>(empty_row)), owner(back);
  std::vector<double> share, hides_token, hides_block;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::int64_t first = static_cast<std::int64_t>(i) / blocks * tokens_;
    const auto count = static_cast<std::int64_t>(members[i].size());
    share.push_back(count > 0 ? 1 / static_cast<double>(count) : 0);
    hides_block.push_back(count > 0 ? 0 : kHidden);
    for (std::int64_t slot = 0; slot < size_; ++slot) {
      const bool is_token = slot < count;
      hides_token.push_back(is_token ? 0 : kHidden);
      const std::int64_t row =
          is_token ? first + members[i][static_cast<std::size_t>(slot)] : empty_row;
      if (is_token) {
        back[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(gathered.size());
        owner[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(i);
      }
      gathered.push_back(row);
    }
  }
  const DevicePtr& device = like.device();
  gather_ = Tensor::from(gathered, {batch_, blocks * size_}, device);
  scatter_ = Tensor::from(back, {batch_, tokens_}, device);
  owner_ = Tensor::from(owner, {batch_, tokens_}, device);
  share_ = constant(share, {batch_, blocks}, like);
  const bool full = std::count(hides_token.begin(), hides_token.end(), 0.0) == empty_row;
  if (full && static_cast<std::int64_t>(hides_token.size()) == empty_row) return;
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
  const auto kept =
      positions.defined() ? positions.to_vector<std::int64_t>() : std::vector<std::int64_t>();
  Members members(static_cast<std::size_t>(batch * blocks));
  for (std::int64_t row = 0; row < batch * tokens; ++row) {
    const std::int64_t position = kept.empty() ? row % tokens : kept[static_cast<std::size_t>(row)];
    const std::int64_t t = position / (grid.h * grid.w), h = position / grid.w % grid.h,
                       w = position % grid.w;
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

#include "eflow/nn/attention/block_softmax.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

/// [B, blocks, size, H, d] -> [B H blocks, size, d]
Tensor by_head(const Tensor& x) {
  return reshape(permute(x, {0, 3, 1, 2, 4}), {-1, x.size(2), x.size(4)});
}

/// The chosen block indices as row indices into a [B blocks] table (heads = 1) or [B H blocks]
/// table.
Tensor rows_of_chosen(const Tensor& chosen, std::int64_t heads) {
  std::vector<std::int64_t> rows = chosen.to_vector<std::int64_t>();
  const std::int64_t h = chosen.size(1), blocks = chosen.size(2), each = blocks * chosen.size(3);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t table = static_cast<std::int64_t>(i) / each;
    rows[i] += (heads == 1 ? table / h : table) * blocks;
  }
  return Tensor::from(rows, {chosen.size(0) * h * blocks, chosen.size(3)}, chosen.device());
}

/// Concatenates the rows `ids`. table [rows, size, d], ids [n, K] -> [n, K size, d]
Tensor concat_rows(const Tensor& table, const Tensor& ids) {
  const Tensor flat = reshape(table, {table.size(0), -1});
  return reshape(embedding(flat, ids), {ids.size(0), ids.size(1) * table.size(1), -1});
}

}  // namespace

std::int64_t chosen_count(std::int64_t blocks, double share) {
  return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(blocks)));
}

Tensor best_blocks(const Tensor& scores, std::int64_t count) {
  const auto values = scores.to_vector<double>();
  const auto width = static_cast<std::size_t>(scores.size(3));
  std::vector<std::int64_t> best, order(width);
  for (std::size_t row = 0; row < values.size(); row += width) {
    std::iota(order.begin(), order.end(), 0);
    const double* at = values.data() + row;
    std::partial_sort(
        order.begin(), order.begin() + count, order.end(),
        [at](std::int64_t a, std::int64_t b) { return at[a] != at[b] ? at[a] > at[b] : a < b; });
    std::sort(order.begin(), order.begin() + count);
    best.insert(best.end(), order.begin(), order.begin() + count);
  }
  return Tensor::from(best, {scores.size(0), scores.size(1), scores.size(2), count},
                      scores.device());
}

Tensor block_softmax(const TokenBlocks& blocks, const Tensor& q, const Tensor& k, const Tensor& v,
                     const Tensor& chosen) {
  const std::int64_t heads = q.size(3), size = q.size(2), d = q.size(4);
  const Tensor rows = rows_of_chosen(chosen, heads);
  const Tensor keys = concat_rows(by_head(k), rows), values = concat_rows(by_head(v), rows);
  Tensor scores = matmul(by_head(q), transpose(keys, 1, 2)) / std::sqrt(static_cast<double>(d));
  if (blocks.token_mask().defined()) {
    const Tensor mask = reshape(blocks.token_mask(), {-1, size, 1});
    scores = scores + transpose(concat_rows(mask, rows_of_chosen(chosen, 1)), 1, 2);
  }
  const Tensor out = matmul(softmax(scores), values);
  return permute(reshape(out, {q.size(0), heads, blocks.blocks(), size, d}), {0, 2, 3, 1, 4});
}

}  // namespace eflow::nn

#pragma once
// TokenBlocks: partitions the tokens of each sample into blocks of equal capacity, which may be
// partly empty. Block-sparse attention scores blocks before tokens.

#include "eflow/nn/layers/rope3d.hpp"

namespace eflow::nn {

class TokenBlocks {
 public:
  /// Blocks of `size` consecutive tokens; the last may be shorter. like: [B, N, ...], gives B, N,
  /// dtype and device.
  [[nodiscard]] static TokenBlocks in_order(const Tensor& like, std::int64_t size);
  /// Cubes of edge^3 raster tokens, smaller at the far edges of the grid. positions: i64 [B, N] of
  /// kept tokens, or undefined for all.
  [[nodiscard]] static TokenBlocks in_cubes(const Tensor& like, const Grid3& grid,
                                            std::int64_t edge, const Tensor& positions);

  /// x [B, N, ...] -> [B, blocks, size, ...]; empty slots are 0.
  [[nodiscard]] Tensor gather(const Tensor& x) const;
  /// The inverse of gather().
  [[nodiscard]] Tensor scatter(const Tensor& y) const;
  /// Mean over each block's tokens. y [B, blocks, size, ...] of gather() -> [B, blocks, ...]; 0 for
  /// an empty block.
  [[nodiscard]] Tensor means(const Tensor& y) const;
  /// Broadcasts a value per block to the block's tokens. y [B, blocks, ...] -> [B, N, ...]
  [[nodiscard]] Tensor spread(const Tensor& y) const;

  [[nodiscard]] std::int64_t blocks() const { return blocks_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Additive score masks, 0 or -1e30: [B, blocks, size] hides empty slots, [B, blocks] hides empty
  /// blocks. Undefined if nothing is hidden.
  [[nodiscard]] const Tensor& token_mask() const { return token_mask_; }
  [[nodiscard]] const Tensor& block_mask() const { return block_mask_; }

 private:
  using Members =
      std::vector<std::vector<std::int64_t>>;  ///< [B * blocks], token ids of each block
  TokenBlocks(const Tensor& like, std::int64_t blocks, const Members& members);

  std::int64_t batch_, tokens_, blocks_, size_;
  Tensor gather_;   ///< i64 [B, blocks * size], rows of [B N] tokens; B N: an empty slot
  Tensor scatter_;  ///< i64 [B, N], rows of the gathered tensor
  Tensor owner_;    ///< i64 [B, N], block of each token, as a row of [B * blocks]
  Tensor share_;    ///< [B, blocks], 1 / tokens
  Tensor token_mask_, block_mask_;
};

}  // namespace eflow::nn

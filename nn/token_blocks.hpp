#pragma once
// TokenBlocks: the tokens of every sample put into blocks of one size, some of them not full. Block
// attention looks at blocks before it looks at tokens.

#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

class TokenBlocks {
 public:
  /// Blocks of `size` tokens, one after the other; the last may be shorter. `like`: [B, N, ...], the
  /// tokens that will be put into them.
  [[nodiscard]] static TokenBlocks in_order(const Tensor& like, std::int64_t size);
  /// Cubes of edge^3 tokens of the raster, smaller at its far edges. positions: i64 [B, N] of kept
  /// tokens, or undefined for all.
  [[nodiscard]] static TokenBlocks in_cubes(const Tensor& like, const Grid3& grid,
                                            std::int64_t edge, const Tensor& positions);

  /// x [B, N, ...] -> [B, blocks, size, ...], 0 where a block is not full.
  [[nodiscard]] Tensor gather(const Tensor& x) const;
  /// The inverse.
  [[nodiscard]] Tensor scatter(const Tensor& y) const;
  /// Mean of each block's tokens, y [B, blocks, size, ...] as gathered -> [B, blocks, ...]; 0 of an
  /// empty block.
  [[nodiscard]] Tensor means(const Tensor& y) const;
  /// A number for each token to its block's tokens: y [B, blocks, ...] -> [B, N, ...].
  [[nodiscard]] Tensor spread(const Tensor& y) const;

  [[nodiscard]] std::int64_t blocks() const { return blocks_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Addends of scores, 0 or -1e30: [B, blocks, size] hides what is no token, [B, blocks] empty
  /// blocks. Undefined where nothing is hidden.
  [[nodiscard]] const Tensor& token_mask() const { return token_mask_; }
  [[nodiscard]] const Tensor& block_mask() const { return block_mask_; }

 private:
  using Members = std::vector<std::vector<std::int64_t>>;  ///< [B * blocks], tokens of each
  TokenBlocks(const Tensor& like, std::int64_t blocks, const Members& members);

  std::int64_t batch_, tokens_, blocks_, size_;
  Tensor gather_;   ///< i64 [B, blocks * size], rows of the samples' tokens; B N is nothing
  Tensor scatter_;  ///< i64 [B, N], rows of the gathered
  Tensor owner_;    ///< i64 [B, N], the block of each token, in rows of [B * blocks]
  Tensor share_;    ///< [B, blocks], 1 / tokens
  Tensor token_mask_, block_mask_;
};

}  // namespace eflow::nn

#pragma once
// Softmax over chosen blocks of keys: what SLA and VSA do for the pairs of blocks that matter. By
// plain ops that hold the scores of the chosen pairs, N times their keys; right, not fast.

#include "eflow/nn/token_blocks.hpp"

namespace eflow::nn {

/// How many of the blocks a share of them is, at least one.
[[nodiscard]] std::int64_t chosen_count(std::int64_t blocks, double share);

/// The `count` largest of each row, ascending: scores [B, H, blocks, blocks] of query blocks
/// against key blocks, already masked -> i64 [B, H, blocks, count]. Waits for the device.
[[nodiscard]] Tensor best_blocks(const Tensor& scores, std::int64_t count);

/// softmax(q k^T / sqrt(d)) v over the tokens of each query block's chosen key blocks.
/// q, k, v [B, blocks, size, H, d] as gathered -> the same shape
[[nodiscard]] Tensor block_softmax(const TokenBlocks& blocks, const Tensor& q, const Tensor& k,
                                   const Tensor& v, const Tensor& chosen);

}  // namespace eflow::nn

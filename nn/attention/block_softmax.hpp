#pragma once
// Softmax over selected blocks of keys, the sparse branch of SLA and VSA. Composed of plain ops
// that materialise the scores of the selected pairs: correct, not fast.

#include "eflow/nn/attention/token_blocks.hpp"

namespace eflow::nn {

/// Returns share * blocks, rounded, at least 1.
[[nodiscard]] std::int64_t chosen_count(std::int64_t blocks, double share);

/// Returns the key blocks with the `count` largest scores of each query block, ascending. scores
/// [B, H, query blocks, key blocks], already masked -> i64 [B, H, blocks, count]. Ties go to the
/// lower index. Waits for the device.
[[nodiscard]] Tensor best_blocks(const Tensor& scores, std::int64_t count);

/// Returns softmax(q k^T / sqrt(d)) v over the tokens of each query block's chosen key blocks.
/// q, k, v [B, blocks, size, H, d], as TokenBlocks::gather() returns them -> the same shape.
/// chosen: i64 [B, H, blocks, count] of best_blocks().
[[nodiscard]] Tensor block_softmax(const TokenBlocks& blocks, const Tensor& q, const Tensor& k,
                                   const Tensor& v, const Tensor& chosen);

}  // namespace eflow::nn

#pragma once
// Linear attention from plain ops: the state S = sum_j k_j^T v_j of a head, and its product with
// queries.

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

/// Returns S = sum_j k_j^T v_j. k, v [B, N, H, d] -> [B, H, d, d]
[[nodiscard]] inline Tensor linear_state(const Tensor& k, const Tensor& v) {
  return matmul(permute(k, {0, 2, 3, 1}), transpose(v, 1, 2));
}
/// Returns q_i S. q [B, N, H, d], state [B, H, d, d] -> [B, N, H, d]
[[nodiscard]] inline Tensor read_state(const Tensor& q, const Tensor& state) {
  return transpose(matmul(transpose(q, 1, 2), state), 1, 2);
}

}  // namespace eflow::nn

#include "eflow/nn/attention/sana_attention.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/linear_state.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/layers/rope3d.hpp"

namespace eflow::nn {
namespace {

/// Keeps the denominator positive if all products of a row are zero.
constexpr double kEps = 1e-6;

}  // namespace

Tensor sana_attention(const Tensor& q, const Tensor& k, const Tensor& v, const RopeTables& rope) {
  const int heads = static_cast<int>(q.size(2));
  const Tensor query = relu(q), key = relu(k);
  // Means instead of sums: the quotient is the same, and its parts stay O(1) for any N.
  const double kappa = 1 / static_cast<double>(k.size(1));
  const Tensor numerator =
      read_state(rope(query, heads), linear_state(rope(key, heads), v) * kappa);
  const Tensor denominator = sum(query * mean(key, {1}, true), {3}, true) + kEps;
  return numerator / denominator;
}

Tensor SanaAttention::operator()(const MixInputs& in) const {
  return reshape(sana_attention(in.q, in.k, in.v, in.layout.rope), in.x.shape());
}

}  // namespace eflow::nn

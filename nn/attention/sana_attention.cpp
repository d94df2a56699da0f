#include "eflow/nn/attention/sana_attention.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/linear_state.hpp"
#include "eflow/nn/attention/sequence_part.hpp"
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

Tensor SanaAttention::of_part(const MixInputs& in, const SequencePart& part) const {
  const int heads = static_cast<int>(in.q.size(2));
  const DType dtype = in.q.dtype(), sums = accumulator_of(dtype);
  const Tensor query = relu(in.q), key = relu(in.k);
  const double kappa = 1 / static_cast<double>(part.tokens());
  const auto over_all = [&](const Tensor& x) {
    return cast(sum_over_ranks(cast(x, sums), part.ranks()) * kappa, dtype);
  };
  const Tensor state = over_all(linear_state(in.layout.rope(key, heads), in.v));
  const Tensor numerator = read_state(in.layout.rope(query, heads), state);
  const Tensor denominator = sum(query * over_all(sum(key, {1}, true)), {3}, true) + kEps;
  return reshape(numerator / denominator, in.x.shape());
}

}  // namespace eflow::nn

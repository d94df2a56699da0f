#include "eflow/nn/sana_attention.hpp"

#include "eflow/nn/linear_state.hpp"

namespace eflow::nn {
namespace {

/// Of the denominator, where all products of a row vanish.
constexpr double kEps = 1e-6;

}  // namespace

Tensor sana_attention(const Tensor& q, const Tensor& k, const Tensor& v, const RopeTables& rope) {
  const int heads = static_cast<int>(q.size(2));
  const Tensor query = relu(q), key = relu(k);
  // Means instead of sums: the quotient is the same and its parts keep their size.
  const double kappa = 1 / static_cast<double>(k.size(1));
  const Tensor top = read_state(rope(query, heads), linear_state(rope(key, heads), v) * kappa);
  const Tensor bottom = sum(query * mean(key, {1}, true), {3}, true) + kEps;
  return top / bottom;
}

Tensor SanaAttention::operator()(const MixInputs& in) const {
  return reshape(sana_attention(in.q, in.k, in.v, in.places.rope), in.x.shape());
}

}  // namespace eflow::nn

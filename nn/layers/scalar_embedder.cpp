#include "eflow/nn/layers/scalar_embedder.hpp"

#include <cmath>

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

Tensor sinusoids(const Tensor& x, std::int64_t width) {
  const std::int64_t half = width / 2;
  std::vector<double> frequency(static_cast<std::size_t>(half));
  for (std::size_t k = 0; k < frequency.size(); ++k) {
    frequency[k] = std::pow(10000.0, -static_cast<double>(k) / static_cast<double>(half));
  }
  const Tensor row = cast(Tensor::from(frequency, {1, half}, x.device()), x.dtype());
  const Tensor angle = reshape(x, {x.size(0), 1}) * row;
  return concat({cos(angle), sin(angle)}, 1);
}

ScalarEmbedder::ScalarEmbedder(const Scope& scope, std::int64_t width, double scale,
                               std::int64_t frequencies)
    : Module(scope),
      scale_(scale),
      frequencies_(frequencies),
      in_(child("in"), frequencies, width, normal_init(0.02)),
      out_(child("out"), width, width, normal_init(0.02)) {}

Tensor ScalarEmbedder::operator()(const Tensor& x) const {
  return out_(silu(in_(sinusoids(x * scale_, frequencies_))));
}

}  // namespace eflow::nn

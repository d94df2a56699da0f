#include "eflow/soflow/objective/network.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::soflow {

Tensor as_times(const PerSample& values, const Tensor& like) {
  const NoGrad off;
  const Shape batch{static_cast<std::int64_t>(values.size())};
  if (like.dtype() != DType::kF32)
    return cast(Tensor::from(values, batch, like.device()), like.dtype());
  // Rounded by the host: on a GPU a cast would be a launch.
  std::vector<float> rounded;
  for (const double value : values) rounded.push_back(static_cast<float>(value));
  return Tensor::from(rounded, batch, like.device());
}

Tensor as_factors(const PerSample& values, const Tensor& like) {
  Shape shape;
  shape.push_back(static_cast<std::int64_t>(values.size()));
  while (shape.rank() < like.rank()) shape.push_back(1);
  return reshape(as_times(values, like), shape);
}

Tensor evaluate(const Network& network, const Tensor& x, const PerSample& t, const PerSample& s,
                const nn::Condition& condition) {
  return network(x, as_times(t, x), as_times(s, x), condition);
}

}  // namespace eflow::soflow

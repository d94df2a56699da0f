#include "eflow/soflow/objective/network.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::soflow {

Tensor as_times(const PerSample& values, const Tensor& like) {
  const NoGrad off;
  const auto batch = static_cast<std::int64_t>(values.size());
  return cast(Tensor::from(values, {batch}, like.device()), like.dtype());
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

#include "eflow/nn/optim/grad_clip.hpp"

#include <cmath>

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

double gradient_norm(const NamedTensors& parameters) {
  std::vector<Tensor> gradients;
  for (const auto& [name, p] : parameters) {
    if (const Tensor g = p.grad(); g.defined()) gradients.push_back(g);
  }
  return std::sqrt(sum_of_squares(gradients));
}

double clip_factor(double norm, double limit) {
  return limit > 0 && norm > limit ? limit / norm : 1;
}

}  // namespace eflow::nn

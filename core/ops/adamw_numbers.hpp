#pragma once
// Arguments that both AdamW kernels compute from the hyperparameters of a step. Internal to core.

#include <cmath>

#include "eflow/core/tensor/ops.hpp"

namespace eflow::detail {

/// Fills the fields shared by args::AdamW and args::AdamWList, bias corrections included.
template <class Args>
void fill_adamw(const AdamWStep& step, Args& a) {
  const auto count = static_cast<double>(step.step);
  a.beta1 = step.beta1;
  a.beta2 = step.beta2;
  a.eps = step.eps;
  a.decay = 1 - step.lr * step.weight_decay;
  a.rate = step.lr / (1 - std::pow(step.beta1, count));
  a.root_correction = 1 / std::sqrt(1 - std::pow(step.beta2, count));
}

}  // namespace eflow::detail

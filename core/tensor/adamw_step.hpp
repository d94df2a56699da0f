#pragma once
// AdamWStep: the numbers of one AdamW update, of one tensor or of a list of them.

#include <cstdint>

namespace eflow {

/// Hyperparameters of one AdamW update.   [arXiv 1711.05101, Alg. 2]
struct AdamWStep {
  double lr = 0, beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0;
  std::int64_t step = 0;  ///< 1 for the first update; needed for the bias correction
  double grad_scale = 1;  ///< the gradient is multiplied by this first (clipping)
};

}  // namespace eflow

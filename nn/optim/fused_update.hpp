#pragma once
// FusedUpdate: AdamW, gradient clipping and the moving average in one pass over a model's memory.
// The gradient norm stays on the device, so the step does not wait for the device between the
// backward pass and the next batch.
//
//   const Tensor squares = update.squared_norm();
//   update.apply(learning_rate, clip, squares);

#include "eflow/core/base/export.hpp"
#include "eflow/core/ops/parameter_list.hpp"
#include "eflow/nn/optim/adamw.hpp"
#include "eflow/nn/optim/ema.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class FusedUpdate {
 public:
  /// Both arguments must outlive the object. Throws InvalidArgument unless they have the same
  /// parameters in the same order.
  FusedUpdate(AdamW* adamw, Ema* ema);

  /// Returns the sum of squares over all gradients, f64 [1] on the device.
  [[nodiscard]] Tensor squared_norm() { return list_.squared_norm(); }
  /// The terms of squared_norm() (ParameterList::block_squares()), for parameters that are divided
  /// over several ranks; apply() then gets the sum of all ranks' terms.
  [[nodiscard]] Tensor block_squares() { return list_.block_squares(); }
  /// Same result as adamw->step(learning_rate, clip_factor(norm, clip)) followed by ema->update().
  /// If squared_norm is not finite, only the update counters of the two change. clip = 0 disables
  /// clipping.
  void apply(double learning_rate, double clip, const Tensor& squared_norm);

 private:
  AdamW* adamw_;
  Ema* ema_;
  ParameterList list_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

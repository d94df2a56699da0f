#pragma once
// AdamW and the moving average of its parameters as one walk over a model's memory, clipped by a norm that stays on the
// device: a step waits for nothing between the backward pass and the next batch.
//
//   const Tensor squares = update.squared_norm();
//   update.apply(learning_rate, clip, squares);

#include "eflow/core/parameter_list.hpp"
#include "eflow/nn/adamw.hpp"
#include "eflow/nn/ema.hpp"

namespace eflow::nn {

class FusedUpdate {
 public:
  /// Both must outlive it; their parameters are the same, in the same order. Throws InvalidArgument.
  FusedUpdate(AdamW* adamw, Ema* ema);

  /// Sum of the squares of all gradients, f64 [1].
  [[nodiscard]] Tensor squared_norm() { return list_.squared_norm(); }
  /// The update that adamw->step(learning_rate, clip_factor(norm, clip)) and ema->update() are. Where `squared_norm` is not
  /// finite nothing changes but the two's counts of updates. clip 0: none.
  void apply(double learning_rate, double clip, const Tensor& squared_norm);

 private:
  AdamW* adamw_;
  Ema* ema_;
  ParameterList list_;
};

}  // namespace eflow::nn

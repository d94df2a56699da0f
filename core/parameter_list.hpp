#pragma once
// A model's parameters with what a training step changes beside them, as one table in the device's memory: the norm of all
// gradients is two launches and an update of everything is one, however many parameters there are, and the host waits for
// neither.

#include <vector>

#include "eflow/core/ops.hpp"

namespace eflow {

/// One parameter. All of one shape, contiguous, value, moments and average of one dtype, f32 or f64.
struct ListedParameter {
  Tensor value, m, v;
  Tensor average;  ///< undefined: it has none
};

/// What an update does. step.grad_scale is not used: clipping is told by the norm.
struct ListStep {
  AdamWStep adamw;
  double clip = 0;           ///< largest norm of the gradients; 0: any
  double average_decay = 1;  ///< average += (1 - average_decay) (value - average)
};

class ParameterList {
 public:
  /// Throws ShapeError, InvalidArgument for what cannot be listed.
  explicit ParameterList(std::vector<ListedParameter> parameters);

  /// Sum of the squares of all gradients (value.grad(); none counts as zero), f64 [1], in a fixed order. Does not wait.
  /// Throws InvalidArgument unless all gradients have one dtype: that of the values, or bf16 beside f32.
  [[nodiscard]] Tensor squared_norm();
  /// One update by the gradients that squared_norm() saw last, which is `squared_norm`, or something that is not finite
  /// where nothing may change. Does not wait.
  void update(const ListStep& step, const Tensor& squared_norm);

 private:
  void write_table();

  std::vector<ListedParameter> parameters_;
  std::vector<Tensor> gradients_;  ///< contiguous, as the table has them; undefined: none
  DType gradient_dtype_ = DType::kF32;
  Tensor table_;
  std::int64_t blocks_ = 0;
};

}  // namespace eflow

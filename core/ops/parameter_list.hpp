#pragma once
// A model's parameters, moments and moving averages as one table in device memory. Computing the
// norm of all gradients takes two launches and updating everything takes one, for any number of
// parameters, and the host waits for neither.

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/adamw_step.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// A parameter, its AdamW moments and its moving average: contiguous, of one shape, one device and
/// one dtype, f32 or f64.
struct ListedParameter {
  Tensor value = {}, m = {}, v = {};
  Tensor average = {};  ///< undefined: none
};

/// Hyperparameters of one update. adamw.grad_scale is ignored: clipping follows from the norm.
struct ListStep {
  AdamWStep adamw = {};
  double clip = 0;           ///< maximum norm of all gradients; 0: no clipping
  double average_decay = 1;  ///< average += (1 - average_decay) (value - average)
};

/// Updates a fixed set of parameters. Threads: one at a time.
class ParameterList {
 public:
  /// Elements of a parameter that one block of the kernels handles. A list of parts of parameters
  /// that begin at multiples of it gives the same bits as a list of the parameters.
  static constexpr std::int64_t kPerBlock = 16384;

  /// Throws ShapeError or InvalidArgument unless every entry is as ListedParameter requires and all
  /// have one dtype and one device.
  explicit ParameterList(std::vector<ListedParameter> parameters);

  /// Returns the sum of squares of all gradients (value.grad(); undefined counts as zero) as an f64
  /// tensor [1], summed in a fixed order. Does not wait for the device. Throws InvalidArgument
  /// unless all gradients have one dtype: that of the values, or bf16 if the values are f32.
  [[nodiscard]] Tensor squared_norm() { return total_of(block_squares()); }
  /// The terms of squared_norm(): one f64 value per block, in the order of the list. For a list that
  /// is divided over several ranks: total_of() of all their terms is the norm of the whole list.
  /// Throws as squared_norm() does.
  [[nodiscard]] Tensor block_squares();
  /// The sum of the terms, f64 [1].
  [[nodiscard]] static Tensor total_of(const Tensor& block_squares);
  /// Applies one update with the gradients of the last squared_norm() or block_squares() call, and
  /// releases them. squared_norm: the sum of squares of all gradients, which determines the
  /// clipping; if it is not finite, nothing changes. Does not wait for the device. Throws InvalidArgument if
  /// squared_norm() was not called since the last update or step is < 1.
  void update(const ListStep& step, const Tensor& squared_norm);

 private:
  void write_table();

  std::vector<ListedParameter> parameters_;
  std::vector<Tensor> gradients_;  ///< contiguous; the table points to them; undefined: none
  std::vector<Tensor> copied_;     ///< whose bf16 copies the next update writes with them
  DType gradient_dtype_ = DType::kF32;
  Tensor table_;
  std::int64_t blocks_ = 0;
};

}  // namespace eflow

EFLOW_EXPORT_END

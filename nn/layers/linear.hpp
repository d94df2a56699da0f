#pragma once
// Linear: y = x W^T + b, with or without b.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

enum class Bias { kYes, kNone };

class Linear : public Module {
 public:
  /// weight [out, in], Xavier-uniform by default; bias [out], initialised to zero.
  Linear(const Scope& scope, std::int64_t in, std::int64_t out);
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, const Init& weight_init,
         Bias bias = Bias::kYes);

  /// x [..., in] -> [..., out] in the dtype of x: the weights' dtype, or bf16 with f32 weights.
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return linear(x, weight_, bias_); }
  /// Same, with a result in the weights' dtype: for the residual stream.
  [[nodiscard]] Tensor widened(const Tensor& x) const {
    return linear(x, weight_, bias_, weight_.dtype());
  }
  [[nodiscard]] const Tensor& weight() const { return weight_; }
  [[nodiscard]] const Tensor& bias() const { return bias_; }  ///< undefined for Bias::kNone

 private:
  Tensor weight_, bias_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

#pragma once
// FeedForward: Linear(D, F) - GELU(tanh) - Linear(F, D).

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/linear.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class FeedForward : public Module {
 public:
  FeedForward(const Scope& scope, std::int64_t width, std::int64_t hidden);
  /// x [..., width] -> [..., width] in the weights' dtype
  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    return feed_forward(x, up_.weight(), up_.bias(), down_.weight(), down_.bias(),
                        down_.weight().dtype());
  }

 private:
  Linear up_, down_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

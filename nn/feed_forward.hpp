#pragma once
// FeedForward: Linear(D, F) - GELU(tanh) - Linear(F, D).

#include "eflow/nn/linear.hpp"

namespace eflow::nn {

class FeedForward : public Module {
 public:
  FeedForward(const Scope& scope, std::int64_t width, std::int64_t hidden);
  /// x [..., width] -> [..., width], of the weights' dtype
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return down_.widened(gelu(up_(x))); }

 private:
  Linear up_, down_;
};

}  // namespace eflow::nn

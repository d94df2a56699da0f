#pragma once
// Linear: y = x W^T + b.

#include "eflow/nn/module.hpp"

namespace eflow::nn {

class Linear : public Module {
 public:
  /// weight [out, in], default Xavier-uniform; bias [out], zero.
  Linear(const Scope& scope, std::int64_t in, std::int64_t out);
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, const Init& weight_init);

  /// x [..., in] -> [..., out]
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return linear(x, weight_, bias_); }

 private:
  Tensor weight_, bias_;
};

}  // namespace eflow::nn

#pragma once
// LayerNorm and RmsNorm: normalisation with learned weights.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// eps of all norms. [Wan 2.1]
inline constexpr double kNormEps = 1e-6;

/// (x - mean) / sqrt(var + eps) * weight + bias over the last axis.
class LayerNorm : public Module {
 public:
  LayerNorm(const Scope& scope, std::int64_t width);
  /// compute: dtype of the result.
  [[nodiscard]] Tensor operator()(const Tensor& x, DType compute) const {
    return layer_norm(x, weight_, bias_, kNormEps, compute);
  }
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return (*this)(x, x.dtype()); }

 private:
  Tensor weight_, bias_;
};

/// x / sqrt(mean(x^2) + eps) * weight over each of `groups` equal parts of the last axis.
class RmsNorm : public Module {
 public:
  /// weight: [width], or [groups, width / groups] for several groups; initialised to 1.
  RmsNorm(const Scope& scope, std::int64_t width, int groups = 1);
  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    return rms_norm(x, weight(), groups_, kNormEps);
  }
  /// The weight as [width], for ops that include the norm.
  [[nodiscard]] Tensor weight() const { return reshape(weight_, {width_}); }

 private:
  std::int64_t width_;
  int groups_;
  Tensor weight_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

#pragma once
// ScalarEmbedder: turns one number a sample (time t, gap t - s, guidance w) into a vector:
// sinusoids, then Linear-SiLU-Linear. The number enters unscaled by default, which keeps dF/dt
// bounded; Wan-style models use 1000.

#include "eflow/nn/linear.hpp"

namespace eflow::nn {

/// [cos(x f_k) | sin(x f_k)], f_k = 10000^(-k / half), k < half = width / 2. [arXiv 1706.03762]
/// x [B] -> [B, width]
[[nodiscard]] Tensor sinusoids(const Tensor& x, std::int64_t width);

class ScalarEmbedder : public Module {
 public:
  ScalarEmbedder(const Scope& scope, std::int64_t width, double scale = 1,
                 std::int64_t frequencies = 256);
  /// x [B] -> [B, width]
  [[nodiscard]] Tensor operator()(const Tensor& x) const;

 private:
  double scale_;
  std::int64_t frequencies_;
  Linear in_, out_;
};

}  // namespace eflow::nn

#pragma once
// ScalarEmbedder: embeds one scalar per sample (time t, gap t - s, guidance scale w) by sinusoids
// and Linear-SiLU-Linear. By default the scalar is not scaled, which bounds dF/dt, as SCM requires.
// Wan-style models scale times by 1000. [SoFlow dit.py; Wan 2.1]

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/linear.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Returns [cos(x f_k) | sin(x f_k)], f_k = 10000^(-k / half), k < half = width / 2. [arXiv
/// 1706.03762] x [B] -> [B, width]
[[nodiscard]] Tensor sinusoids(const Tensor& x, std::int64_t width);

class ScalarEmbedder : public Module {
 public:
  /// scale: factor on x; frequencies: width of the sinusoids.
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

EFLOW_EXPORT_END

#pragma once
// DiTHead: the final LayerNorm, modulated by the raw condition vector e, and the projection of each
// token to its patch. The projection starts at zero, so an untrained network predicts zero. [Wan
// 2.1]

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/adaln.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class DiTHead : public Module {
 public:
  DiTHead(const Scope& scope, std::int64_t width, std::int64_t patch_values);
  /// x [B, N, D], e [R, D] -> [B, N, patch_values]; R as for BranchModulation.
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& e) const;

 private:
  ModulationTable modulation_;
  Linear proj_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

#pragma once
// AdaLN modulation in its shared form: one projection of the conditioning vector e yields six
// vectors for all blocks, and each block adds its own learned table. Unlike adaLN-zero, the gates
// do not start at zero. [Wan 2.1]

#include "eflow/core/base/export.hpp"
#include "eflow/core/ops/residual_norm.hpp"
#include "eflow/nn/layers/linear.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// The modulation of one residual branch; each [R, D]. With R = B, a row belongs to a sample. With R
/// a multiple of B, the tokens of a sample are divided evenly, in order, among R / B rows: one per
/// frame, or one per token.
struct BranchModulation {
  Tensor shift = {}, scale = {}, gate = {};
  /// Returns LN(x) (1 + scale) + shift in dtype `compute`. x [B, N, D]
  [[nodiscard]] Tensor input(const Tensor& x, DType compute) const;
  /// Returns x + gate y. x, y [B, N, D]
  [[nodiscard]] Tensor residual(const Tensor& x, const Tensor& y) const;
  /// Returns h = residual(x, y) and next.input(h, compute), in one pass over memory.
  [[nodiscard]] NormedResidual residual(const Tensor& x, const Tensor& y,
                                        const BranchModulation& next, DType compute) const;
};

/// e0 = Linear(SiLU(e)), computed once for all blocks. e [B, D] -> [B, 6, D]
class SharedModulation : public Module {
 public:
  SharedModulation(const Scope& scope, std::int64_t width);
  [[nodiscard]] Tensor operator()(const Tensor& e) const;

 private:
  Linear proj_;
};

/// A block's own table, initialised to N(0, 1/D) and added to the shared modulation.
class ModulationTable : public Module {
 public:
  ModulationTable(const Scope& scope, std::int64_t rows, std::int64_t width);
  /// shared [B, rows or 1, D] -> `rows` tensors [B, D]
  [[nodiscard]] std::vector<Tensor> operator()(const Tensor& shared) const;

 private:
  Tensor table_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

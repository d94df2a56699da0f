#pragma once
// AdaLN modulation in the shared form: one projection of the conditioning vector e gives six
// vectors for all blocks, and each block adds a small table of its own. Not adaLN-zero: gates start
// away from zero. [Wan 2.1]

#include "eflow/nn/linear.hpp"

namespace eflow::nn {

/// How one residual branch sees the condition; each [B, D].
struct BranchModulation {
  Tensor shift, scale, gate;
  /// LN(x) (1 + scale) + shift; x [B, N, D]. compute: the result's dtype.
  [[nodiscard]] Tensor input(const Tensor& x, DType compute) const;
  /// x + gate y
  [[nodiscard]] Tensor residual(const Tensor& x, const Tensor& y) const;
};

/// e0 = Linear(SiLU(e)): [B, D] -> [B, 6, D], computed once for all blocks.
class SharedModulation : public Module {
 public:
  SharedModulation(const Scope& scope, std::int64_t width);
  [[nodiscard]] Tensor operator()(const Tensor& e) const;

 private:
  Linear proj_;
};

/// A block's own table, randn / sqrt(D), added to what is shared.
class ModulationTable : public Module {
 public:
  ModulationTable(const Scope& scope, std::int64_t rows, std::int64_t width);
  /// shared [B, rows or 1, D] -> `rows` tensors [B, D]
  [[nodiscard]] std::vector<Tensor> operator()(const Tensor& shared) const;

 private:
  Tensor table_;
};

}  // namespace eflow::nn

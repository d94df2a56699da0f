#include "eflow/nn/layers/adaln.hpp"

#include <cmath>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/norm_layers.hpp"

namespace eflow::nn {

namespace {

/// Divides the tokens of each sample evenly: [B, N, D] -> [rows, B N / rows, D].
Tensor in_rows(const Tensor& x, std::int64_t rows) {
  return x.size(0) == rows ? x : reshape(x, {rows, -1, x.size(2)});
}

}  // namespace

Tensor BranchModulation::input(const Tensor& x, DType compute) const {
  const Tensor y = modulated_layer_norm(in_rows(x, scale.size(0)), scale, shift, kNormEps, compute);
  return reshape(y, x.shape());
}

Tensor BranchModulation::residual(const Tensor& x, const Tensor& y) const {
  const std::int64_t rows = gate.size(0);
  const Tensor factor = reshape(gate, {rows, 1, gate.size(1)});
  return reshape(mul_add(factor, in_rows(y, rows), in_rows(x, rows)), x.shape());
}

NormedResidual BranchModulation::residual(const Tensor& x, const Tensor& y,
                                          const BranchModulation& next, DType compute) const {
  const std::int64_t rows = gate.size(0);
  const NormedResidual r = residual_norm(in_rows(x, rows), in_rows(y, rows), gate, next.scale,
                                         next.shift, kNormEps, compute);
  return {reshape(r.h, x.shape()), reshape(r.normed, x.shape())};
}

SharedModulation::SharedModulation(const Scope& scope, std::int64_t width)
    : Module(scope), proj_(child("proj"), width, 6 * width) {}

Tensor SharedModulation::operator()(const Tensor& e) const {
  return reshape(proj_(silu(e)), {e.size(0), 6, e.size(1)});
}

ModulationTable::ModulationTable(const Scope& scope, std::int64_t rows, std::int64_t width)
    : Module(scope),
      table_(parameter("table", {rows, width},
                       normal_init(1 / std::sqrt(static_cast<double>(width))))) {}

std::vector<Tensor> ModulationTable::operator()(const Tensor& shared) const {
  const Tensor sum = shared + table_;
  const std::int64_t batch = sum.size(0), rows = sum.size(1), width = sum.size(2);
  std::vector<Tensor> parts =
      split(sum, std::vector<std::int64_t>(static_cast<std::size_t>(rows), 1), 1);
  for (Tensor& part : parts) part = reshape(part, {batch, width});
  return parts;
}

}  // namespace eflow::nn

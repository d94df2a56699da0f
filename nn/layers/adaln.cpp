#include "eflow/nn/layers/adaln.hpp"

#include <cmath>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/norm_layers.hpp"

namespace eflow::nn {

Tensor BranchModulation::input(const Tensor& x, DType compute) const {
  return modulated_layer_norm(x, scale, shift, kNormEps, compute);
}

Tensor BranchModulation::residual(const Tensor& x, const Tensor& y) const {
  return mul_add(reshape(gate, {gate.size(0), 1, gate.size(1)}), y, x);
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

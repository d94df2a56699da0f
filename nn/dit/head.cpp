#include "eflow/nn/dit/head.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

DiTHead::DiTHead(const Scope& scope, std::int64_t width, std::int64_t patch_values)
    : Module(scope),
      modulation_(child("modulation"), 2, width),
      proj_(child("proj"), width, patch_values, constant_init(0)) {}

Tensor DiTHead::operator()(const Tensor& x, const Tensor& e) const {
  const std::vector<Tensor> m = modulation_(reshape(e, {e.size(0), 1, e.size(1)}));
  return proj_(BranchModulation{.shift = m[0], .scale = m[1], .gate = {}}.input(x, x.dtype()));
}

}  // namespace eflow::nn

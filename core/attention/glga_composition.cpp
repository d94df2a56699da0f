// GLGA composed of elementary ops: the oracle for the fused kernels, and the fallback if they are
// unavailable.

#include <cmath>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/glga_kernels.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

using Local = GlgaOptions::Local;

/// RMS norm over the channels of each head, unless norms are disabled.
Tensor normed(const Tensor& x, const Tensor& weight, const GlgaOptions& options) {
  if (!options.normed) return x;
  const Shape rows{x.size(0), x.size(1), x.size(2) * x.size(3)};
  const int heads = static_cast<int>(x.size(2));
  return reshape(rms_norm(reshape(x, rows), weight, heads, options.eps), x.shape());
}

Tensor softmax_branch(const Tensor& q, const Tensor& k, const Tensor& v,
                      const GlgaOptions& options) {
  const double tau = 1 / std::sqrt(static_cast<double>(q.size(3)));
  if (options.local == Local::kFull) return attention(q, k, v, tau);
  return attention(q, k, v, tau,
                   {.full = false,
                    .left = options.radius,
                    .right = options.radius,
                    .positions = options.positions});
}

Tensor linear_branch(const Tensor& q, const Tensor& k, const Tensor& v) {
  const double kappa = 1 / static_cast<double>(k.size(1));
  const Tensor s = matmul(permute(k, {0, 2, 3, 1}), permute(v, {0, 2, 1, 3})) * kappa;
  return permute(matmul(permute(q, {0, 2, 1, 3}), s), {0, 2, 1, 3});
}

}  // namespace

Tensor glga_composition(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                        const Tensor& global_weight, const Tensor& local_weight,
                        const GlgaOptions& options) {
  detail::require_glga(q, k, v, gates, global_weight, local_weight, options);
  Tensor global, local;
  if (options.global) global = linear_branch(q, k, v);
  if (options.local != Local::kNone) local = softmax_branch(q, k, v, options);
  return glga_join(global, local, gates, global_weight, local_weight, options);
}

Tensor glga_join(Tensor global, Tensor local, const Tensor& gates, const Tensor& global_weight,
                 const Tensor& local_weight, const GlgaOptions& options) {
  if (global.defined()) global = normed(global, global_weight, options);
  if (local.defined()) local = normed(local, local_weight, options);
  if (gates.defined()) {
    const Shape one{gates.size(0), gates.size(1), gates.size(3), gates.size(4)};
    const std::vector<Tensor> g = split(sigmoid(gates), {1, 1}, 2);
    if (global.defined() && local.defined())
      return mul_add(reshape(g[0], one), global, reshape(g[1], one) * local);
    return global.defined() ? reshape(g[0], one) * global : reshape(g[1], one) * local;
  }
  if (!local.defined()) return contiguous(global);
  if (!global.defined()) return local;
  return global + local;
}

}  // namespace eflow

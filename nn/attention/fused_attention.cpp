#include "eflow/nn/attention/fused_attention.hpp"

#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

const GlgaOptions& softmax_options() {
  static const GlgaOptions options{
      .local = GlgaOptions::Local::kFull, .global = false, .normed = false};
  return options;
}

Tensor FusedAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& gates, const Tensor& global_weight,
                                  const Tensor& local_weight, const GlgaOptions& options) const {
  const auto run = prepare(q, gates, options, grad_enabled()) ? glga : glga_composition;
  return run(q, k, v, gates, global_weight, local_weight, options);
}

bool FusedAttention::prepare(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
                             bool gradients) const {
  const CallKind key{q.dtype(), options.positions.defined() ? options.kept_percent : 0, gradients,
                     options.radius};
  const std::lock_guard lock(mutex_);
  const auto at = is_fused_.find(key);
  if (at != is_fused_.end()) return at->second;
  return is_fused_[key] = prepare_glga(q, gates, options, gradients);
}

Tensor SoftmaxAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v) const {
  return run_(q, k, v, {}, {}, {}, softmax_options());
}

void SoftmaxAttention::prepare(const Tensor& q, bool gradients) const {
  run_.prepare(q, {}, softmax_options(), gradients);
}

}  // namespace eflow::nn

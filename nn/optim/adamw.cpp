#include "eflow/nn/optim/adamw.hpp"

#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

AdamW::AdamW(NamedTensors parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const auto& [name, p] : parameters_) {
    m_.push_back(Tensor::zeros(p.shape(), p.dtype(), p.device()));
    v_.push_back(Tensor::zeros(p.shape(), p.dtype(), p.device()));
    for (const Tensor& moment : {m_.back(), v_.back()}) note_use(moment, MemoryUse::kMoments);
  }
}

void AdamW::step(double learning_rate, double grad_scale) {
  ++steps_;
  const AdamWStep update{.lr = learning_rate,
                         .beta1 = options_.beta1,
                         .beta2 = options_.beta2,
                         .eps = options_.eps,
                         .weight_decay = options_.weight_decay,
                         .step = steps_,
                         .grad_scale = grad_scale};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i].second;
    const Tensor gradient = p.grad();
    if (gradient.defined()) adamw_(p, m_[i], v_[i], contiguous(gradient), update);
  }
}

std::vector<ListedParameter> AdamW::listed() const {
  std::vector<ListedParameter> out;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    out.push_back({parameters_[i].second, m_[i], v_[i], {}});
  return out;
}

NamedTensors AdamW::named(const std::vector<Tensor>& moments) const {
  NamedTensors all;
  for (std::size_t i = 0; i < moments.size(); ++i)
    all.emplace_back(parameters_[i].first, moments[i]);
  return all;
}

NamedTensors AdamW::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < m_.size(); ++i)
    state.emplace_back("m." + parameters_[i].first, m_[i]);
  for (std::size_t i = 0; i < v_.size(); ++i)
    state.emplace_back("v." + parameters_[i].first, v_[i]);
  return state;
}

}  // namespace eflow::nn

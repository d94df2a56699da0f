#include "eflow/nn/optim/fused_update.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

std::vector<ListedParameter> with_averages(const AdamW& adamw, const Ema& ema) {
  std::vector<ListedParameter> out = adamw.listed();
  const NamedTensors &values = adamw.parameters(), &averages = ema.averages();
  const bool same = std::equal(values.begin(), values.end(), averages.begin(), averages.end(),
                               [](const auto& a, const auto& b) { return a.first == b.first; });
  if (!same)
    throw InvalidArgument("[update] the averages and the optimizer have different parameters");
  for (std::size_t i = 0; i < out.size(); ++i) out[i].average = averages[i].second;
  return out;
}

}  // namespace

FusedUpdate::FusedUpdate(AdamW* adamw, Ema* ema)
    : adamw_(adamw), ema_(ema), list_(with_averages(*adamw, *ema)) {}

void FusedUpdate::apply(double learning_rate, double clip, const Tensor& squared_norm) {
  const AdamWOptions& options = adamw_->options();
  adamw_->set_steps(adamw_->steps() + 1);
  list_.update({.adamw = {.lr = learning_rate,
                          .beta1 = options.beta1,
                          .beta2 = options.beta2,
                          .eps = options.eps,
                          .weight_decay = options.weight_decay,
                          .step = adamw_->steps()},
                .clip = clip,
                .average_decay = ema_->take_update()},
               squared_norm);
}

}  // namespace eflow::nn

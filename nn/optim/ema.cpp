#include "eflow/nn/optim/ema.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

double ema_decay(const EmaOptions& options, std::int64_t k) {
  const auto updates = static_cast<double>(k);
  return options.warmup ? std::min(options.decay, (1 + updates) / (10 + updates)) : options.decay;
}

Ema::Ema(NamedTensors averages, NamedTensors values, const EmaOptions& options)
    : averages_(std::move(averages)), values_(std::move(values)), options_(options) {
  const bool same = std::equal(averages_.begin(), averages_.end(), values_.begin(), values_.end(),
                               [](const auto& a, const auto& b) { return a.first == b.first; });
  if (!same)
    throw InvalidArgument("[ema] the averages and the values have different parameter names");
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    averages_[i].second.set_requires_grad(false);
    note_use(averages_[i].second, MemoryUse::kAverages);
    averages_[i].second.assign(values_[i].second);
  }
}

void Ema::update() {
  const double decay = take_update();
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    lerp_(averages_[i].second, values_[i].second.detach(), decay);
  }
}

}  // namespace eflow::nn

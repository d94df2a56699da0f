#include "eflow/core/cuda/tuned_products.hpp"

#include "eflow/core/base/log.hpp"
#include "eflow/core/cuda/product_key.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {

TunedProducts::TunedProducts(const jit::Runtime& runtime)
    : device_(runtime.limits().name), arch_(runtime.limits().arch) {
  const jit::DiskCache* const disk = runtime.builder().disk();
  if (disk == nullptr || runtime.options().tune == jit::TuneMode::kOff) return;
  database_.emplace(disk->options().root);
}

std::optional<jit::LtAlgo> TunedProducts::find(const LtProblem& problem,
                                               const std::string& library) {
  if (!database_ || !database_->has_any(device_, arch_, kProduct)) return std::nullopt;
  std::string why;
  const std::optional<jit::TuningRecord> record = database_->get(
      {{kProduct, product_spec(problem)}, product_shape(problem), device_, arch_}, why);
  if (!record || !record->finished || record->tunables != algo_tunables()) return std::nullopt;
  if (record->text != library) {
    if (!said_) {
      log_warning("[cublas] ignoring products tuned with ", record->text, ", this is ", library,
                  "; run `eflow jit tune run` to tune again");
    }
    said_ = true;
    return std::nullopt;
  }
  const jit::ConfigRecord& best = record->configs[static_cast<std::size_t>(record->best)];
  if (record->best == 0 || best.state != jit::ConfigState::kOk) return std::nullopt;
  return algo_of(best.values);
}

}  // namespace eflow::detail

#pragma once
// What the tuning database has of a library's products: the algorithm that a product takes. Anything wrong with a record is
// as if it were not there. Internal to core.

#include <optional>
#include <string>

#include "eflow/core/cublas_problem.hpp"
#include "eflow/jit/cublas_api.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tuning_database.hpp"

namespace eflow::detail {

class TunedProducts {
 public:
  /// Of the device and the disk cache of `runtime`, which it outlives; finds nothing where tuning is off or there is no cache.
  explicit TunedProducts(const jit::Runtime& runtime);

  /// nullopt: nothing was tuned for such a product, the library's own first choice won, or the record is not of `library`
  /// (CublasGemm::library), which is said once. Threads: one at a time.
  [[nodiscard]] std::optional<jit::LtAlgo> find(const LtProblem& problem,
                                                const std::string& library);

 private:
  std::optional<jit::TuningDatabase> database_;
  std::string device_, arch_;
  bool said_ = false;
};

}  // namespace eflow::detail

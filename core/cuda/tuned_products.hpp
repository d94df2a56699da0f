#pragma once
// Looks up tuned cuBLASLt algorithms in the tuning database. Invalid records are ignored. Internal
// to core.

#include <optional>
#include <string>

#include "eflow/core/cuda/cublas_problem.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/cuda/cublas_api.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {

/// Threads: one at a time.
class TunedProducts {
 public:
  /// Uses the device and the disk cache of `runtime`, which need not outlive it. Without a cache,
  /// or with tuning off, find() always returns nullopt.
  explicit TunedProducts(const jit::Runtime& runtime);

  /// Returns the fastest algorithm for a product. nullopt if no product of this kind and size was
  /// tuned, the library's first choice won, or the record is from another version than `library`
  /// (see CublasGemm::library), which is logged once.
  [[nodiscard]] std::optional<jit::LtAlgo> find(const LtProblem& problem,
                                                const std::string& library);

 private:
  std::optional<jit::TuningDatabase> database_;
  std::string device_, arch_;
  bool said_ = false;
};

}  // namespace eflow::detail

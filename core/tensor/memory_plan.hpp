#pragma once
// Memory accounting by use, and the report that an out-of-memory error ends with.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

class Tensor;

/// What a tensor's memory is used for.
enum class MemoryUse { kActivations, kParameters, kGradients, kMoments, kAverages };

/// Allocated bytes by use. Threads: all members may be called concurrently.
class MemoryPlan {
 public:
  static constexpr std::size_t kUses = 5;  ///< enumerators of MemoryUse

  void add(MemoryUse use, std::size_t bytes) { held(use) += static_cast<std::int64_t>(bytes); }
  void subtract(MemoryUse use, std::size_t bytes) { held(use) -= static_cast<std::int64_t>(bytes); }
  /// Bytes currently allocated for a use.
  [[nodiscard]] std::int64_t bytes(MemoryUse use) const {
    return held_[static_cast<std::size_t>(use)];
  }

  /// Returns "activations 10 MiB, parameters ...", then the two changes to the training options
  /// that save the most memory, with estimates.
  [[nodiscard]] std::string text() const;

 private:
  std::atomic<std::int64_t>& held(MemoryUse use) { return held_[static_cast<std::size_t>(use)]; }
  std::array<std::atomic<std::int64_t>, kUses> held_{};
};

/// Sets the use of a tensor's memory. The default is kActivations.
void note_use(const Tensor& tensor, MemoryUse use);

}  // namespace eflow

EFLOW_EXPORT_END

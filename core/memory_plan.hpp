#pragma once
// What a device's memory is held for, and what would need less of it: the text of an out-of-memory error.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace eflow {

class Tensor;

enum class MemoryUse { kActivations, kParameters, kGradients, kMoments, kAverages };

/// Bytes held, by use. Threads: all members may be called at once.
class MemoryPlan {
 public:
  static constexpr std::size_t kUses = 5;

  void add(MemoryUse use, std::size_t bytes) { held(use) += static_cast<std::int64_t>(bytes); }
  void subtract(MemoryUse use, std::size_t bytes) { held(use) -= static_cast<std::int64_t>(bytes); }
  [[nodiscard]] std::int64_t bytes(MemoryUse use) const {
    return held_[static_cast<std::size_t>(use)];
  }

  /// "parameters 10 MiB, ...", then the two changes of a training run that save the most, with how much.
  [[nodiscard]] std::string text() const;

 private:
  std::atomic<std::int64_t>& held(MemoryUse use) { return held_[static_cast<std::size_t>(use)]; }
  std::array<std::atomic<std::int64_t>, kUses> held_{};
};

/// Says what a tensor's memory is for; until then it counts as activations (what a step computes and drops again).
void note_use(const Tensor& tensor, MemoryUse use);

}  // namespace eflow

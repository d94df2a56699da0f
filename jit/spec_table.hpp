#pragma once
// Compiled kernels by Spec: what launch() looks into. Kernels are added now and then and never removed, so a lookup takes
// no lock and a found kernel stays where it is.

#include <array>
#include <atomic>
#include <deque>
#include <mutex>

#include "eflow/jit/spec.hpp"

namespace eflow::jit {

/// A kernel for the CPU.
struct HostKernel {
  /// block points to a HostBlock, args to the text's argument struct.
  void (*run)(const void* block, const void* args) = nullptr;
  std::size_t args_bytes = 0;
};

template <class Kernel>
class SpecTable {
 public:
  [[nodiscard]] const Kernel* find(const Spec& spec) const noexcept {
    const Node* node = bucket(spec).load(std::memory_order_acquire);
    while (node != nullptr && !(node->spec == spec)) node = node->next;
    return node != nullptr ? &node->kernel : nullptr;
  }

  /// A Spec that is there already keeps its kernel.
  void insert(const Spec& spec, const Kernel& kernel) {
    const std::lock_guard lock(inserting_);
    if (find(spec) != nullptr) return;
    std::atomic<const Node*>& head = bucket(spec);
    nodes_.push_back({spec, kernel, head.load(std::memory_order_relaxed)});
    head.store(&nodes_.back(), std::memory_order_release);
  }

 private:
  struct Node {
    Spec spec;
    Kernel kernel;
    const Node* next;
  };
  static constexpr std::size_t kBuckets = 2048;

  [[nodiscard]] const std::atomic<const Node*>& bucket(const Spec& spec) const noexcept {
    return buckets_[SpecHash{}(spec) % kBuckets];
  }
  [[nodiscard]] std::atomic<const Node*>& bucket(const Spec& spec) noexcept {
    return buckets_[SpecHash{}(spec) % kBuckets];
  }

  std::array<std::atomic<const Node*>, kBuckets> buckets_{};
  std::mutex inserting_;
  std::deque<Node> nodes_;
};

}  // namespace eflow::jit

#pragma once
// SpecTable: a hash table from KernelSpec to compiled kernel, read by every launch. Entries are never
// removed or moved, so find() takes no lock and the pointers it returns stay valid.

#include <array>
#include <atomic>
#include <deque>
#include <mutex>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/arguments/argument_types.hpp"
#include "eflow/jit/kernel/spec.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// A compiled CPU kernel.
struct HostKernel {
  /// `block` points to a HostBlock, `args` to the kernel's argument struct.
  void (*run)(const void* block, const void* args) = nullptr;
  std::size_t args_bytes = 0;
  ArgumentTypes types = kUnknownArguments;  ///< of the text's argument struct
  bool checked = false;                     ///< whether it was compiled with EFLOW_CHECK=on
  int emulated_threads = 0;  ///< of a block on an emulated GPU; 0: compiled for the CPU
};

/// Threads: all members may be called concurrently.
template <class Kernel>
class SpecTable {
 public:
  [[nodiscard]] const Kernel* find(const KernelSpec& spec) const noexcept {
    const Node* node = bucket(spec).load(std::memory_order_acquire);
    while (node != nullptr && !(node->spec == spec)) node = node->next;
    return node != nullptr ? &node->kernel : nullptr;
  }

  /// Inserts a kernel. If the KernelSpec is already present, its kernel is kept.
  void insert(const KernelSpec& spec, const Kernel& kernel) {
    const std::lock_guard lock(inserting_);
    if (find(spec) != nullptr) return;
    std::atomic<const Node*>& head = bucket(spec);
    nodes_.push_back({spec, kernel, head.load(std::memory_order_relaxed)});
    head.store(&nodes_.back(), std::memory_order_release);
  }

 private:
  struct Node {
    KernelSpec spec;
    Kernel kernel;
    const Node* next;
  };
  static constexpr std::size_t kBuckets = 2048;

  [[nodiscard]] const std::atomic<const Node*>& bucket(const KernelSpec& spec) const noexcept {
    return buckets_[KernelSpecHash{}(spec) % kBuckets];
  }
  [[nodiscard]] std::atomic<const Node*>& bucket(const KernelSpec& spec) noexcept {
    return buckets_[KernelSpecHash{}(spec) % kBuckets];
  }

  std::array<std::atomic<const Node*>, kBuckets> buckets_{};
  std::mutex inserting_;
  std::deque<Node> nodes_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

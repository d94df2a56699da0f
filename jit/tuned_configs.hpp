#pragma once
// Chooses the config of a launch from the tuning database, which is read once per KernelSpec and shape.
// Invalid records are ignored.

#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/kernel/shape_bucket.hpp"

namespace eflow::jit {

class Runtime;

/// Looks up the tuned config and prepares it. Returns `kernel.spec` if there is none or it cannot
/// be prepared.
[[nodiscard]] KernelSpec choose_tuned(Runtime& runtime, const KernelRef& kernel, ShapeBucket shape);

/// Caches the choice by KernelSpec and shape. Threads: all members may be called concurrently.
class TunedConfigs {
 public:
  /// Returns the cached choice, else choose(). If two threads choose at once, the first result
  /// stored wins.
  template <class Choose>
  KernelSpec get(const KernelSpec& spec, ShapeBucket shape, Choose&& choose) {
    const Key key{spec, shape};
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = answers_.find(key); found != answers_.end()) return found->second;
    }
    const KernelSpec chosen = choose();
    const std::unique_lock lock(mutex_);
    return answers_.try_emplace(key, chosen).first->second;
  }

 private:
  struct Key {
    KernelSpec spec = {};
    ShapeBucket shape = {};
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return KernelSpecHash{}(key.spec) ^
             static_cast<std::size_t>(key.shape.code * 0x9e3779b97f4a7c15ull);
    }
  };
  std::shared_mutex mutex_;
  std::unordered_map<Key, KernelSpec, Hash> answers_;
};

}  // namespace eflow::jit

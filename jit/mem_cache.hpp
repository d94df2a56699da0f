#pragma once
// MemCache: results by key, each made once. Who asks while another thread is making waits for it; a failure reaches all
// who wait and is then forgotten, so that the next one tries again.
//
// Threads: get_or_make may be called at once. `make` runs without a lock held.

#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "eflow/base/error.hpp"
#include "eflow/jit/build_request.hpp"

namespace eflow::jit {

template <class Value>
class MemCache {
 public:
  using Ptr = std::shared_ptr<const Value>;

  /// The value of the request, or make()'s. A key that already stands for another request is not trusted: that call gets
  /// make()'s value and nothing is kept. What make() throws reaches the caller as it is, those who wait as a CompileError
  /// with its text: one exception object is not for several threads.
  template <class Make>
  Ptr get_or_make(const Key& key, std::string_view request, Make&& make) {
    std::unique_lock lock(mutex_);
    const auto [at, fresh] = slots_.try_emplace(key);
    if (!fresh) {
      const std::shared_ptr<Slot> slot = at->second;
      if (slot->request != request) {
        lock.unlock();
        return make();
      }
      done_.wait(lock, [&] { return slot->done; });
      if (!slot->value) throw CompileError(slot->error);
      return slot->value;
    }
    const std::shared_ptr<Slot> slot = at->second = std::make_shared<Slot>();
    slot->request = request;
    lock.unlock();
    try {
      Ptr value = make();
      finish(key, *slot, value, "");
      return value;
    } catch (const std::exception& e) {
      finish(key, *slot, nullptr, e.what());
      throw;
    }
  }

 private:
  struct Slot {
    std::string request;
    bool done = false;
    Ptr value;  // null after a failure
    std::string error;
  };

  void finish(const Key& key, Slot& slot, Ptr value, std::string error) {
    {
      const std::lock_guard lock(mutex_);
      slot.done = true;
      slot.value = std::move(value);
      slot.error = std::move(error);
      if (!slot.value) slots_.erase(key);
    }
    done_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable done_;
  std::map<Key, std::shared_ptr<Slot>> slots_;
};

}  // namespace eflow::jit

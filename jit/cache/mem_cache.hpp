#pragma once
// MemCache: values by key, each computed once. A thread that asks for a value in progress waits for
// it. A failure is passed to all waiting threads and then forgotten, so the next call retries.
//
// Threads: get_or_make may be called concurrently. `make` runs without a lock.

#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"

namespace eflow::jit {

template <class Value>
class MemCache {
 public:
  using Ptr = std::shared_ptr<const Value>;

  /// Returns the cached value of the request, else make()'s. On a key collision (same key, other
  /// request), returns make()'s value without caching it. An exception from make() propagates
  /// unchanged to its caller; waiting threads get a CompileError with its text, because one
  /// exception object must not be shared between threads.
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
    std::string request = "";
    bool done = false;
    Ptr value;  // null after a failure
    std::string error = "";
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

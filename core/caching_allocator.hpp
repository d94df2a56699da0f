#pragma once
// Memory that is handed back is kept for the next request of its size class: a training step asks for the same sizes again
// and again, and the system's pages are slow to come by.

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "eflow/core/device.hpp"

namespace eflow {

class CachingAllocator {
 public:
  /// take(bytes) gets 64-byte aligned memory from the system or returns nullptr; give(p) returns it.
  /// plan() ends the message of a failure: what the system has left, what holds the rest.
  CachingAllocator(std::function<void*(std::size_t)> take, std::function<void(void*)> give,
                   std::function<std::string()> plan = {});
  ~CachingAllocator();

  /// Throws DeviceError with the statistics when the system has no more even after the cache was given back.
  [[nodiscard]] void* allocate(std::size_t bytes);
  void release(void* memory, std::size_t bytes) noexcept;
  [[nodiscard]] MemoryStats stats() const;
  void reset_peak();
  void trim();

  /// The size that a request is rounded up to: steps of an eighth of its power of two, at least 256 bytes.
  [[nodiscard]] static std::size_t size_class(std::size_t bytes);

 private:
  void trim_locked() noexcept;

  std::function<void*(std::size_t)> take_;
  std::function<void(void*)> give_;
  std::function<std::string()> plan_;
  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;
  MemoryStats stats_;
};

}  // namespace eflow

#pragma once
// An allocator that keeps released memory for the next request of the same size class. Training
// steps request the same sizes repeatedly, and obtaining pages from the system is slow.

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "eflow/core/tensor/device.hpp"

namespace eflow {

/// Threads: all members may be called concurrently.
class CachingAllocator {
 public:
  /// Which of several cached blocks a request gets.
  enum class Order {
    kLastReleased,   ///< the one most likely to be in the processor's caches
    kLowestAddress,  ///< so that a step that repeats gets the addresses of the one before it
  };

  /// take(bytes) obtains 64-byte aligned memory from the system, or returns nullptr; give(p)
  /// returns it. plan() returns text appended to the out-of-memory message: free memory, and what
  /// uses the rest.
  CachingAllocator(std::function<void*(std::size_t)> take, std::function<void(void*)> give,
                   std::function<std::string()> plan = {}, Order order = Order::kLastReleased);
  ~CachingAllocator();

  /// Returns memory of at least `bytes` bytes. If take() fails, returns the cache to the system and
  /// tries again. Throws DeviceError with statistics if that fails too.
  [[nodiscard]] void* allocate(std::size_t bytes);
  /// Caches memory from allocate(bytes).
  void release(void* memory, std::size_t bytes) noexcept;
  [[nodiscard]] MemoryStats stats() const;
  /// Sets peak_in_use to in_use.
  void reset_peak();
  /// Returns cached memory to the system.
  void trim();

 private:
  /// Rounds a request up to a multiple of 1/8 of its power of two, at least 256 bytes: few classes,
  /// and at most about 1/8 of the memory wasted.
  [[nodiscard]] static std::size_t size_class(std::size_t bytes);
  void trim_locked() noexcept;

  std::function<void*(std::size_t)> take_;
  std::function<void(void*)> give_;
  std::function<std::string()> plan_;
  Order order_;
  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;  ///< by size; a heap if ordered by address
  MemoryStats stats_;
};

}  // namespace eflow

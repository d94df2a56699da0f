#pragma once
// GPU memory from the driver's stream-ordered pool, with one caching allocator per stream. Memory
// is reused only by the stream that released it: stream order makes that safe without waiting.

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "eflow/core/tensor/caching_allocator.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cuda/context.hpp"

namespace eflow::detail {

/// Threads: all members may be called concurrently.
class CudaMemory {
 public:
  /// `plan` must outlive it. before_free(stream) is called before memory is returned to the
  /// driver. Throws DeviceError.
  CudaMemory(std::shared_ptr<const jit::CudaContext> context, const MemoryPlan& plan,
             std::function<void(jit::CuStream)> before_free);

  /// Allocates memory for work on `stream`. Throws DeviceError; out of memory, the message says
  /// what uses it.
  [[nodiscard]] void* allocate(std::size_t bytes, jit::CuStream stream);
  /// Caches memory from allocate() with the same `bytes` and `stream`.
  void release(void* memory, std::size_t bytes, jit::CuStream stream) noexcept;
  /// Sums the statistics of all streams. The sum of the peaks is exact for one stream and an upper
  /// bound for several.
  [[nodiscard]] MemoryStats stats() const;
  /// Sets peak_in_use to in_use.
  void reset_peak();
  /// Returns cached memory to the driver.
  void trim();
  /// The same for one stream, which is about to be destroyed. All its memory must be released.
  void forget(jit::CuStream stream);

 private:
  CachingAllocator& allocator_of(jit::CuStream stream);
  void* take(std::size_t bytes, jit::CuStream stream) const;
  void give(void* memory, jit::CuStream stream) const noexcept;
  std::string report() const;

  std::shared_ptr<const jit::CudaContext> context_;
  const MemoryPlan& plan_;
  std::function<void(jit::CuStream)> before_free_;
  mutable std::mutex mutex_;
  std::map<jit::CuStream, std::unique_ptr<CachingAllocator>> allocators_;
};

}  // namespace eflow::detail

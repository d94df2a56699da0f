#pragma once
// A GPU's memory: from the driver's stream-ordered pool, kept by one caching allocator a stream, since memory of one stream is
// reused by it alone: there its order makes that safe without waiting.

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "eflow/core/caching_allocator.hpp"
#include "eflow/jit/cuda_context.hpp"

namespace eflow::detail {

/// Threads: all members may be called at once.
class CudaMemory {
 public:
  /// `plan` must outlive it. before_driver(stream) is called before the driver allocates or frees. Throws DeviceError.
  CudaMemory(std::shared_ptr<const jit::CudaContext> context, const MemoryPlan& plan,
             std::function<void(jit::CuStream)> before_driver);

  /// Throws DeviceError; without memory left it says what holds it.
  [[nodiscard]] void* allocate(std::size_t bytes, jit::CuStream stream);
  void release(void* memory, std::size_t bytes, jit::CuStream stream) noexcept;
  /// Peaks of the streams' allocators are added: exact with one stream, else at most so much.
  [[nodiscard]] MemoryStats stats() const;
  void reset_peak();
  void trim();

 private:
  CachingAllocator& allocator_of(jit::CuStream stream);
  void* take(std::size_t bytes, jit::CuStream stream) const;
  void give(void* memory, jit::CuStream stream) const noexcept;
  std::string report() const;

  std::shared_ptr<const jit::CudaContext> context_;
  const MemoryPlan& plan_;
  std::function<void(jit::CuStream)> before_driver_;
  mutable std::mutex mutex_;
  std::map<jit::CuStream, std::unique_ptr<CachingAllocator>> allocators_;
};

}  // namespace eflow::detail

#pragma once
// Copies of host arrays to a GPU on a stream of their own, beside the work of the device's stream.
// A copy has a block of device memory and pinned host memory of the same size. Blocks are kept for
// copies of the same size. The host does not wait: events order the copy after the last work that
// used its block before, and later work after the copy. Internal to core.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "eflow/core/cuda/memory.hpp"
#include "eflow/jit/cuda/stream.hpp"

namespace eflow::detail {

/// Threads: all members may be called concurrently.
class CudaUploads {
 public:
  /// Most blocks that are kept without being in use.
  static constexpr std::size_t kMostFree = 4;

  /// `memory` must outlive it.
  CudaUploads(std::shared_ptr<const jit::CudaContext> context, CudaMemory* memory);
  ~CudaUploads();
  CudaUploads(const CudaUploads&) = delete;
  CudaUploads& operator=(const CudaUploads&) = delete;

  /// Begins a copy of bytes > 0 and returns the device memory that it fills. The caller may reuse
  /// `from` on return. Throws DeviceError.
  [[nodiscard]] void* begin(const void* from, std::size_t bytes);
  /// Makes later work of the stream wait for the copy that begin() returned. Throws DeviceError.
  void order_before(jit::CuStream stream, const void* memory);
  /// Takes back memory from begin(). It is reused after mark_used().
  void release(const void* memory) noexcept;
  /// Tells that all work that uses the memory released so far has been issued to the stream. Throws
  /// DeviceError.
  void mark_used(jit::CuStream stream);

 private:
  struct Block {
    enum State { kHeld, kReleased, kFree };
    Block(const std::shared_ptr<const jit::CudaContext>& context, std::size_t size)
        : bytes(size), copied(context), used(context) {}

    std::size_t bytes;
    void* memory = nullptr;
    void* pinned = nullptr;
    jit::CudaEvent copied, used;
    State state = kHeld;
  };

  [[nodiscard]] Block& block_for(std::size_t bytes);
  [[nodiscard]] Block& make(std::size_t bytes);
  [[nodiscard]] Block* find(const void* memory);
  void drop(std::list<Block>::iterator block);

  std::shared_ptr<const jit::CudaContext> context_;
  CudaMemory* memory_;
  std::mutex mutex_;
  std::optional<jit::CudaStream> stream_;  // made at the first copy
  std::list<Block> blocks_;
};

}  // namespace eflow::detail

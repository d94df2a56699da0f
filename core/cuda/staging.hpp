#pragma once
// Pinned host memory through which host data is copied to a GPU. A copy from pageable memory makes
// the driver wait; a copy from pinned memory is asynchronous. The memory is a ring of segments,
// each shared by many small copies. The host waits only before it reuses a segment whose last copy
// is still running. Once the host has waited for the stream anyway, the ring begins again at its
// first byte, so that steps that repeat use the same addresses.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "eflow/jit/cuda/stream.hpp"

namespace eflow::detail {

/// Threads: all members may be called concurrently.
class CudaStaging {
 public:
  static constexpr std::size_t kSegmentBytes = std::size_t{4} << 20;
  static constexpr int kSegments = 4;

  explicit CudaStaging(std::shared_ptr<const jit::CudaContext> context);
  ~CudaStaging();
  CudaStaging(const CudaStaging&) = delete;
  CudaStaging& operator=(const CudaStaging&) = delete;

  /// Returns the number of bytes that stage() accepts for this stream.
  [[nodiscard]] std::size_t room(jit::CuStream stream);
  /// Makes room; may wait for the oldest segment. All copies out of staged memory must have been
  /// issued. Throws DeviceError.
  void make_room();
  /// Copies at most room() bytes to pinned memory, from which the caller must then issue a copy to
  /// the stream. They stay there until make_room() finds that copy done or release() is called.
  [[nodiscard]] const void* stage(const void* from, std::size_t bytes, jit::CuStream stream);

  /// A mark for release(): how many times stage() was called.
  [[nodiscard]] std::uint64_t staged();
  /// Tells that all work of the stream is done, as the host has waited for it after staged()
  /// returned `mark`. Everything staged may then be overwritten, unless more was staged since or is
  /// for other streams.
  void release(jit::CuStream stream, std::uint64_t mark);

 private:
  struct Segment {
    std::byte* memory = nullptr;
    std::size_t filled = 0;
    jit::CuStream stream = nullptr;        ///< of its copies
    std::optional<jit::CudaEvent> copied;  ///< recorded after the last copy out of the segment
  };
  /// Waits for the segment's copies, allocating it on first use, and empties it.
  void prepare(Segment& segment);

  std::shared_ptr<const jit::CudaContext> context_;
  std::mutex mutex_;
  Segment segments_[kSegments];
  int current_ = 0;
  std::uint64_t staged_ = 0;
};

}  // namespace eflow::detail

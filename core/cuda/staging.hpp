#pragma once
// Pinned host memory through which host data is copied to a GPU. A copy from pageable memory makes
// the driver wait; a copy from pinned memory is asynchronous. The memory is a ring of segments,
// each shared by many small copies. The host waits only before it reuses a segment whose last copy
// is still running.

#include <cstddef>
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

  /// Returns the number of bytes that copy() accepts for this stream without allocating, recording
  /// or waiting, none of which a capture allows.
  [[nodiscard]] std::size_t room(jit::CuStream stream);
  /// Makes room; may wait for the oldest segment. The stream must not be capturing. Throws
  /// DeviceError.
  void make_room(jit::CuStream stream);
  /// Issues one copy of at most room() bytes to the stream. The caller may reuse `from` on return.
  /// Throws DeviceError.
  void copy(jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream stream);

 private:
  struct Segment {
    std::byte* memory = nullptr;
    std::size_t filled = 0;
    std::optional<jit::CudaEvent> copied;  ///< recorded after the last copy out of the segment
  };
  /// Waits for the segment's copies, allocating it on first use, and empties it.
  void prepare(Segment& segment);

  std::shared_ptr<const jit::CudaContext> context_;
  std::mutex mutex_;
  Segment segments_[kSegments];
  int current_ = 0;
  jit::CuStream stream_ = nullptr;  ///< the stream of the copies in the current segment
};

}  // namespace eflow::detail

#pragma once
// Pinned host memory between the program's and a GPU's: a copy from ordinary memory makes the driver wait, one from here runs
// beside the host. A ring of segments, each filled by many small copies: the host waits only when it comes round to a segment
// whose last copy is not done, so that it stays far ahead of the device.

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

#include "eflow/jit/cuda_stream.hpp"

namespace eflow::detail {

/// Threads: all members may be called at once.
class CudaStaging {
 public:
  static constexpr std::size_t kSegmentBytes = std::size_t{4} << 20;
  static constexpr int kSegments = 4;

  explicit CudaStaging(std::shared_ptr<const jit::CudaContext> context);
  ~CudaStaging();
  CudaStaging(const CudaStaging&) = delete;
  CudaStaging& operator=(const CudaStaging&) = delete;

  /// Whether copy() of so many bytes to the stream would touch no event, as a capture needs it.
  [[nodiscard]] bool fits(std::size_t bytes, jit::CuStream stream);
  /// Issues copies of `bytes` bytes to the stream; `from` is the caller's again on return. Throws DeviceError.
  void copy(jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream stream);

 private:
  struct Segment {
    std::byte* memory = nullptr;
    std::size_t filled = 0;
    std::optional<jit::CudaEvent> copied;  ///< recorded behind the last copy out of memory
  };
  /// The segment that the stream's next bytes go into.
  Segment& segment_for(jit::CuStream stream);
  void prepare(Segment& segment);

  std::shared_ptr<const jit::CudaContext> context_;
  std::mutex mutex_;
  Segment segments_[kSegments];
  int current_ = 0;
  jit::CuStream stream_ = nullptr;  ///< whose copies the current segment holds
};

}  // namespace eflow::detail

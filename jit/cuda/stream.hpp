#pragma once
// Owning wrappers of a CUDA stream and event. Streams are non-blocking: they do not synchronise
// with the legacy default stream and, unlike it, can be captured.

#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cuda/context.hpp"
#include "eflow/jit/kernel/stream.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Threads: several may issue work concurrently; the order of their work is then undefined.
class CudaStream {
 public:
  /// Throws DeviceError.
  explicit CudaStream(std::shared_ptr<const CudaContext> context);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  [[nodiscard]] CuStream handle() const { return handle_; }
  [[nodiscard]] Stream stream() const { return {handle_}; }

 private:
  std::shared_ptr<const CudaContext> context_;
  CuStream handle_ = nullptr;
};

/// A point in a stream that the host or other streams can wait for. Does not measure time.
class CudaEvent {
 public:
  /// Throws DeviceError.
  explicit CudaEvent(std::shared_ptr<const CudaContext> context);
  ~CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  /// Records the work issued to the stream so far. `what` is for messages, here and below. Throws
  /// DeviceError.
  void record(CuStream stream, std::string_view what);
  /// Blocks the host until the recorded work is done; returns at once if nothing was recorded.
  /// Throws DeviceError, also if that work failed.
  void wait(std::string_view what) const;
  /// Whether the recorded work is done; true if nothing was recorded. Never blocks. Throws
  /// DeviceError if that work failed.
  [[nodiscard]] bool is_done(std::string_view what) const;
  /// Makes later work of the stream wait for the recorded work. Throws DeviceError.
  void order_before(CuStream stream, std::string_view what) const;

 private:
  std::shared_ptr<const CudaContext> context_;
  CuEvent handle_ = nullptr;
  bool recorded_ = false;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

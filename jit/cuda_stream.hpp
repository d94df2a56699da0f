#pragma once
// A stream and an event of the CUDA driver's, destroyed with their owner. Streams are of the non-blocking kind: they do not
// wait for the legacy default stream, and can be captured, which that one cannot.

#include <memory>

#include "eflow/jit/cuda_context.hpp"
#include "eflow/jit/stream.hpp"

namespace eflow::jit {

/// Threads: work may be issued from several at once; its order is then theirs.
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

/// A point in a stream that others can wait for. Measures no time.
class CudaEvent {
 public:
  /// Throws DeviceError.
  explicit CudaEvent(std::shared_ptr<const CudaContext> context);
  ~CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  /// All that was issued to the stream so far. `what` is for messages, here and below. Throws DeviceError.
  void record(CuStream stream, std::string_view what);
  /// The host waits; at once when nothing was recorded. Throws DeviceError, also for what failed on the device.
  void wait(std::string_view what) const;
  /// The stream's later work waits. Throws DeviceError.
  void order_before(CuStream stream, std::string_view what) const;

 private:
  std::shared_ptr<const CudaContext> context_;
  CuEvent handle_ = nullptr;
  bool recorded_ = false;
};

}  // namespace eflow::jit

#include "eflow/jit/cuda/stream.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::jit {
namespace {

/// For destructors: an object that cannot be destroyed is leaked, with a warning.
template <class F>
void destroy(const CudaContext& context, const char* call, F&& f) noexcept {
  if (context.is_shut_down()) return;
  try {
    const CudaContext::Current current(context);
    context.check(f(), call, "destruction");
  } catch (const std::exception& e) {
    log_warning("[cuda] a stream or event could not be destroyed: ", e.what());
  }
}

}  // namespace

CudaStream::CudaStream(std::shared_ptr<const CudaContext> context) : context_(std::move(context)) {
  const CudaContext::Current current(*context_);
  context_->check(context_->api().stream_create(&handle_, cu::kStreamNonBlocking), "cuStreamCreate",
                  "a stream");
}
CudaStream::~CudaStream() {
  destroy(*context_, "cuStreamDestroy", [&] { return context_->api().stream_destroy(handle_); });
}

CudaEvent::CudaEvent(std::shared_ptr<const CudaContext> context) : context_(std::move(context)) {
  const CudaContext::Current current(*context_);
  context_->check(context_->api().event_create(&handle_, cu::kEventWithoutTime), "cuEventCreate",
                  "an event");
}
CudaEvent::~CudaEvent() {
  destroy(*context_, "cuEventDestroy", [&] { return context_->api().event_destroy(handle_); });
}

void CudaEvent::record(CuStream stream, std::string_view what) {
  const CudaContext::Current current(*context_);
  context_->check(context_->api().event_record(handle_, stream), "cuEventRecord", what);
  recorded_ = true;
}
void CudaEvent::wait(std::string_view what) const {
  if (!recorded_) return;
  const CudaContext::Current current(*context_);
  context_->check(context_->api().event_synchronize(handle_), "cuEventSynchronize", what);
}
bool CudaEvent::is_done(std::string_view what) const {
  if (!recorded_) return true;
  const CudaContext::Current current(*context_);
  const CuResult code = context_->api().event_query(handle_);
  if (code == cu::kNotReady) return false;
  context_->check(code, "cuEventQuery", what);
  return true;
}
void CudaEvent::order_before(CuStream stream, std::string_view what) const {
  if (!recorded_) return;
  const CudaContext::Current current(*context_);
  context_->check(context_->api().stream_wait(stream, handle_, 0), "cuStreamWaitEvent", what);
}

}  // namespace eflow::jit

#include "eflow/jit/cuda/context.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/jit/host/fork_count.hpp"

namespace eflow::jit {

CudaContext::CudaContext(const CudaApi& cuda, int ordinal)
    : cuda_(cuda), ordinal_(ordinal), forks_(fork_count()) {
  const CudaDriver driver = probe_cuda_driver(cuda);
  const int count = static_cast<int>(driver.devices.size());
  if (ordinal < 0 || ordinal >= count) {
    throw DeviceError(
        str("[cuda] no device cuda:", ordinal, ": ",
            driver.why.empty() ? str("the number of devices is ", count) : driver.why));
  }
  device_ = driver.devices[static_cast<std::size_t>(ordinal)];
  check(cuda_.device_get(&handle_, ordinal), "cuDeviceGet", "the device");
  check(cuda_.context_retain(&context_, handle_), "cuDevicePrimaryCtxRetain", "the device");
}

CudaContext::~CudaContext() {
  if (fork_count() != forks_) return;
  const CuResult code = cuda_.context_release(handle_);
  if (code != 0 && code != cu::kDeinitialized)
    log_warning("[cuda] cuDevicePrimaryCtxRelease of ", name(), ": ", cuda_.error(code));
}

std::string CudaContext::name() const {
  return str("cuda:", ordinal_, " (", device_.name, ")");
}

bool CudaContext::is_shut_down() const {
  CuContext now = nullptr;
  return cuda_.context_current(&now) == cu::kDeinitialized;
}

void CudaContext::check(CuResult code, std::string_view call, std::string_view what) const {
  if (code == 0) return;
  throw DeviceError(str("[cuda] ", call, " of ", what, ": ", cuda_.error(code), " on ", name()));
}

void CudaContext::require_own_process() const {
  if (fork_count() == forks_) return;
  throw DeviceError(str("[cuda] ", name(),
                        " was created before fork(), and CUDA does not survive a fork. Start "
                        "workers before the first use of the GPU, or use exec"));
}

CudaContext::Current::Current(const CudaContext& context) : context_(context) {
  context.require_own_process();
  CuContext now = nullptr;
  context.check(context.cuda_.context_current(&now), "cuCtxGetCurrent", "this thread");
  if (now == context.context_) return;
  context.check(context.cuda_.context_push(context.context_), "cuCtxPushCurrent", "this thread");
  pushed_ = true;
}

CudaContext::Current::~Current() {
  CuContext popped = nullptr;
  // fails only if the context was never pushed
  if (pushed_) static_cast<void>(context_.cuda_.context_pop(&popped));
}

}  // namespace eflow::jit

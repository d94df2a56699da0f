#include "eflow/jit/cuda/module.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::jit {
namespace {

/// Larger blocks need an opt-in per kernel.
constexpr std::int64_t kSharedWithoutOptIn = 48 << 10;

/// Keeps module loading from invalidating a stream capture in progress elsewhere. In the default
/// mode, the driver treats the calls as unsafe during capture and invalidates it.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const CudaApi& cuda) : cuda_(cuda) {
    active_ = cuda_.exchange_capture_mode(&mode_) == 0;
  }
  ~RelaxedCapture() {
    if (active_) static_cast<void>(cuda_.exchange_capture_mode(&mode_));
  }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const CudaApi& cuda_;
  int mode_ = cu::kCaptureRelaxed;
  bool active_ = false;
};

}  // namespace

CudaModule::CudaModule(std::shared_ptr<const CudaContext> context, std::string_view image,
                       const KernelSource& source, std::string_view title)
    : context_(std::move(context)), title_(title) {
  kernel_.title = title_;
  const CudaContext::Current current(*context_);
  const RelaxedCapture relaxed(context_->api());
  load(image, title);
  try {
    find_function(title);
    opt_in(source, title);
    kernel_.types = argument_types_of(image);
  } catch (...) {
    static_cast<void>(context_->api().library_unload(library_));  // the original error is reported
    throw;
  }
}

CudaModule::~CudaModule() {
  if (context_->is_shut_down()) return;
  try {
    const CudaContext::Current current(*context_);
    context_->check(context_->api().library_unload(library_), "cuLibraryUnload", "a kernel");
  } catch (const Error& e) {
    log_warning("[cuda] a kernel could not be unloaded: ", e.what());
  }
}

void CudaModule::load(std::string_view image, std::string_view title) {
  char log[4096] = {};
  int options[] = {cu::kJitErrorLog, cu::kJitErrorLogBytes};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log - 1)};
  const CuResult code = context_->api().library_load(&library_, image.data(), options, values, 2,
                                                     nullptr, nullptr, 0);
  context_->check(code, "cuLibraryLoadData", *log == 0 ? str(title) : str(title, " (", log, ")"));
}

void CudaModule::find_function(std::string_view title) {
  const CudaApi& cuda = context_->api();
  CuKernel kernel = nullptr;
  context_->check(cuda.library_kernel(&kernel, library_, "eflow_kernel"), "cuLibraryGetKernel",
                  title);
  // Also loads the kernel; with lazy loading, the first launch would do so.
  context_->check(cuda.kernel_function(&kernel_.function, kernel), "cuKernelGetFunction", title);
  if (cuda.kernel_parameter != nullptr) {
    std::size_t offset = 0;
    context_->check(cuda.kernel_parameter(kernel, 0, &offset, &kernel_.args_bytes),
                    "cuKernelGetParamInfo", title);
  }
}

void CudaModule::opt_in(const KernelSource& source, std::string_view title) {
  const CudaApi& cuda = context_->api();
  int threads = 0, fixed = 0;
  context_->check(cuda.function_attribute(&threads, cu::kFunctionMaxThreads, kernel_.function),
                  "cuFuncGetAttribute(MAX_THREADS_PER_BLOCK)", title);
  context_->check(cuda.function_attribute(&fixed, cu::kFunctionStaticSharedBytes, kernel_.function),
                  "cuFuncGetAttribute(SHARED_SIZE_BYTES)", title);
  const std::int64_t most = context_->device().shared_per_block;
  if (source.threads > threads || source.shared_bytes < 0 || source.shared_bytes + fixed > most) {
    throw InvalidArgument(str("[cuda] ", title, " needs ", source.threads, " threads and ",
                              source.shared_bytes, " + ", fixed, " B of shared memory per block; ",
                              context_->name(), " offers ", threads, " and ", most, " B"));
  }
  kernel_.threads = static_cast<unsigned>(source.threads);
  kernel_.shared_bytes = static_cast<unsigned>(source.shared_bytes);
  if (source.shared_bytes + fixed <= kSharedWithoutOptIn) return;
  context_->check(cuda.function_set_attribute(kernel_.function, cu::kFunctionMaxDynamicSharedBytes,
                                              static_cast<int>(source.shared_bytes)),
                  "cuFuncSetAttribute(MAX_DYNAMIC_SHARED_SIZE_BYTES)", title);
}

}  // namespace eflow::jit

#include "eflow/jit/cuda/api.hpp"

#include <dlfcn.h>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

/// Looks functions up by name and records the first missing one.
struct Binder {
  void* library;
  const char* missing = nullptr;

  template <class F>
  void optional(const char* name, F& function) const {
    function = reinterpret_cast<F>(dlsym(library, name));
  }
  template <class F>
  void required(const char* name, F& function) {
    optional(name, function);
    if (function == nullptr && missing == nullptr) missing = name;
  }
};

/// The functions that are needed to list devices.
void bind_devices(Binder& bind, CudaApi& cuda) {
  bind.required("cuInit", cuda.init);
  bind.required("cuDriverGetVersion", cuda.driver_version);
  bind.required("cuDeviceGetCount", cuda.device_count);
  bind.required("cuDeviceGet", cuda.device_get);
  bind.required("cuDeviceGetName", cuda.device_name);
  bind.required("cuDeviceGetAttribute", cuda.device_attribute);
  bind.required("cuDeviceTotalMem_v2", cuda.device_memory);
  bind.required("cuDeviceGetPCIBusId", cuda.device_bus);
  bind.required("cuGetErrorName", cuda.error_name);
  bind.required("cuGetErrorString", cuda.error_string);
}

void bind_launches(Binder& bind, CudaApi& cuda) {
  bind.required("cuDevicePrimaryCtxRetain", cuda.context_retain);
  bind.required("cuDevicePrimaryCtxRelease_v2", cuda.context_release);
  bind.required("cuCtxGetCurrent", cuda.context_current);
  bind.required("cuCtxPushCurrent_v2", cuda.context_push);
  bind.required("cuCtxPopCurrent_v2", cuda.context_pop);
  bind.required("cuLibraryLoadData", cuda.library_load);
  bind.required("cuLibraryUnload", cuda.library_unload);
  bind.required("cuLibraryGetKernel", cuda.library_kernel);
  bind.required("cuKernelGetFunction", cuda.kernel_function);
  bind.optional("cuKernelGetParamInfo", cuda.kernel_parameter);
  bind.required("cuFuncGetAttribute", cuda.function_attribute);
  bind.required("cuFuncSetAttribute", cuda.function_set_attribute);
  bind.required("cuLaunchKernelEx", cuda.launch);
  bind.optional("cuTensorMapEncodeTiled", cuda.tensor_map_encode);
  bind.required("cuStreamSynchronize", cuda.stream_synchronize);
  bind.required("cuStreamIsCapturing", cuda.stream_capturing);
  bind.required("cuThreadExchangeStreamCaptureMode", cuda.exchange_capture_mode);
}

void bind_memory(Binder& bind, CudaApi& cuda) {
  bind.required("cuDeviceGetDefaultMemPool", cuda.device_pool);
  bind.required("cuMemPoolSetAttribute", cuda.pool_set_attribute);
  bind.required("cuMemAllocAsync", cuda.allocate);
  bind.required("cuMemFreeAsync", cuda.release);
  bind.required("cuMemGetInfo_v2", cuda.memory_info);
  bind.required("cuMemAllocHost_v2", cuda.allocate_pinned);
  bind.required("cuMemFreeHost", cuda.release_pinned);
  bind.required("cuMemcpyHtoDAsync_v2", cuda.copy_in);
  bind.required("cuMemcpyDtoHAsync_v2", cuda.copy_out);
  bind.required("cuMemsetD8Async", cuda.set_bytes);
  bind.required("cuStreamCreate", cuda.stream_create);
  bind.required("cuStreamDestroy_v2", cuda.stream_destroy);
  bind.required("cuStreamWaitEvent", cuda.stream_wait);
  bind.required("cuEventCreate", cuda.event_create);
  bind.required("cuEventRecord", cuda.event_record);
  bind.required("cuEventQuery", cuda.event_query);
  bind.required("cuEventSynchronize", cuda.event_synchronize);
  bind.required("cuEventDestroy_v2", cuda.event_destroy);
}

void bind_graphs(Binder& bind, CudaApi& cuda) {
  bind.required("cuStreamBeginCapture_v2", cuda.capture_begin);
  bind.required("cuStreamEndCapture", cuda.capture_end);
  bind.required("cuStreamGetCaptureInfo_v2", cuda.capture_info);
  bind.required("cuGraphInstantiateWithFlags", cuda.graph_instantiate);
  bind.required("cuGraphExecUpdate_v2", cuda.graph_update);
  bind.required("cuGraphExecKernelNodeSetParams_v2", cuda.graph_set_kernel);
  bind.required("cuGraphExecMemcpyNodeSetParams", cuda.graph_set_copy);
  bind.required("cuGraphExecMemsetNodeSetParams", cuda.graph_set_fill);
  bind.required("cuGraphLaunch", cuda.graph_launch);
  bind.required("cuGraphExecDestroy", cuda.graph_exec_destroy);
  bind.required("cuGraphDestroy", cuda.graph_destroy);
}

}  // namespace

std::string CudaApi::error(CuResult code) const {
  const char *name = nullptr, *text = nullptr;
  if (error_name(code, &name) != 0 || name == nullptr) return str("error ", code);
  if (error_string(code, &text) != 0 || text == nullptr) return name;
  return str(name, " (", text, ")");
}

std::optional<CudaApi> open_cuda_api(const std::string& library, std::string& why) {
  const char* name = library.empty() ? "libcuda.so.1" : library.c_str();
  void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* error = dlerror();
    why = str("no CUDA driver (", error != nullptr ? error : "not found", ")");
    return std::nullopt;
  }
  CudaApi cuda;
  Binder bind{handle};
  bind_devices(bind, cuda);
  bind_launches(bind, cuda);
  bind_memory(bind, cuda);
  bind_graphs(bind, cuda);
  if (bind.missing != nullptr) {
    why = str("the CUDA driver is too old (it lacks ", bind.missing,
              "); version 12 or later is needed");
    return std::nullopt;
  }
  return cuda;
}

}  // namespace eflow::jit

#pragma once
// CudaApi: the CUDA driver functions in use, as a table that is filled from libcuda at run time, so
// that the library is built and runs without CUDA. Tests supply a recording fake.

#include <cstddef>
#include <optional>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// CUresult; 0 is success.
using CuResult = int;
using CuDevice = int;
// In our namespace, so that they cannot collide with CUDA's own headers.
struct CUctx_st;
struct CUstream_st;
struct CUlib_st;
struct CUkern_st;
struct CUfunc_st;
struct CUevent_st;
struct CUmemPoolHandle_st;
struct CUgraph_st;
struct CUgraphNode_st;
struct CUgraphExec_st;
using CuContext = CUctx_st*;
using CuStream = CUstream_st*;
using CuLibrary = CUlib_st*;
using CuKernel = CUkern_st*;
using CuFunction = CUfunc_st*;
using CuEvent = CUevent_st*;
using CuPool = CUmemPoolHandle_st*;
using CuGraph = CUgraph_st*;
using CuGraphNode = CUgraphNode_st*;
using CuGraphExec = CUgraphExec_st*;
/// CUdeviceptr: an address in device memory.
using CuAddress = unsigned long long;

/// CUlaunchConfig.
struct CuLaunchConfig {
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  CuStream stream;
  void* attributes;
  unsigned attribute_count;
};

/// CUgraphExecUpdateResultInfo.
struct CuGraphUpdate {
  int result;
  CuGraphNode node, from_node;
};

/// CUDA_KERNEL_NODE_PARAMS_v2.
struct CuKernelNode {
  CuFunction function;
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  void** parameters;
  void** extra;
  CuKernel kernel;    ///< used only without `function`
  CuContext context;  ///< ignored if `function` is set
};

/// One side of a CUDA_MEMCPY3D_v2.
struct CuCopySide {
  std::size_t x_bytes, y, z, lod;
  int memory_type;
  void* host;
  CuAddress device;
  void* array;
  void* reserved;
  std::size_t pitch, height;
};
/// CUDA_MEMCPY3D_v2.
struct CuCopyNode {
  CuCopySide from, to;
  std::size_t width_bytes, height, depth;
};

/// CUDA_MEMSET_NODE_PARAMS_v1.
struct CuFillNode {
  CuAddress to;
  std::size_t pitch;
  unsigned value, element_bytes;
  std::size_t width, height;
};

/// Values of the driver's enumerators.
namespace cu {
inline constexpr int kDeviceMultiprocessors = 16, kDeviceL2Bytes = 38, kDeviceMajor = 75,
                     kDeviceMinor = 76, kDeviceSharedPerBlockOptin = 97;
inline constexpr int kFunctionMaxThreads = 0, kFunctionStaticSharedBytes = 1,
                     kFunctionMaxDynamicSharedBytes = 8;
inline constexpr int kJitErrorLog = 5, kJitErrorLogBytes = 6;
inline constexpr int kCaptureThreadLocal = 1, kCaptureRelaxed = 2;
inline constexpr int kMemoryHost = 1, kMemoryDevice = 2;
inline constexpr int kOutOfMemory = 2, kDeinitialized = 4, kNotReady = 600;
inline constexpr int kPoolReleaseThreshold = 4;
inline constexpr unsigned kEventWithoutTime = 2, kStreamNonBlocking = 1;
inline constexpr int kTensorMapF32 = 7, kTensorMapBF16 = 9, kTensorMapNoInterleave = 0,
                     kTensorMapNoSwizzle = 0, kTensorMapL2Of128 = 2, kTensorMapZeros = 0;
}  // namespace cu

struct CudaApi {
  CuResult (*init)(unsigned) = nullptr;
  CuResult (*driver_version)(int*) = nullptr;
  CuResult (*device_count)(int*) = nullptr;
  CuResult (*device_get)(CuDevice*, int ordinal) = nullptr;
  CuResult (*device_name)(char*, int length, CuDevice) = nullptr;
  CuResult (*device_attribute)(int* value, int attribute, CuDevice) = nullptr;
  CuResult (*device_memory)(std::size_t*, CuDevice) = nullptr;
  /// "0000:3b:00.0"
  CuResult (*device_bus)(char*, int length, CuDevice) = nullptr;
  CuResult (*error_name)(CuResult, const char**) = nullptr;
  CuResult (*error_string)(CuResult, const char**) = nullptr;

  CuResult (*context_retain)(CuContext*, CuDevice) = nullptr;
  CuResult (*context_release)(CuDevice) = nullptr;
  CuResult (*context_current)(CuContext*) = nullptr;
  CuResult (*context_push)(CuContext) = nullptr;
  CuResult (*context_pop)(CuContext*) = nullptr;

  CuResult (*library_load)(CuLibrary*, const void* code, int* jit_options, void** jit_values,
                           unsigned jit_count, int* options, void** values,
                           unsigned count) = nullptr;
  CuResult (*library_unload)(CuLibrary) = nullptr;
  CuResult (*library_kernel)(CuKernel*, CuLibrary, const char* name) = nullptr;
  CuResult (*kernel_function)(CuFunction*, CuKernel) = nullptr;
  /// Requires driver 12.4; null in older ones.
  CuResult (*kernel_parameter)(CuKernel, std::size_t index, std::size_t* offset,
                               std::size_t* bytes) = nullptr;
  CuResult (*function_attribute)(int* value, int attribute, CuFunction) = nullptr;
  CuResult (*function_set_attribute)(CuFunction, int attribute, int value) = nullptr;

  CuResult (*launch)(const CuLaunchConfig*, CuFunction, void** parameters, void** extra) = nullptr;
  /// Null in drivers without tensor maps.
  CuResult (*tensor_map_encode)(void* map, int type, unsigned rank, void* address,
                                const unsigned long long* sizes, const unsigned long long* strides,
                                const unsigned* box, const unsigned* steps, int interleave,
                                int swizzle, int l2_promotion, int fill) = nullptr;
  CuResult (*stream_synchronize)(CuStream) = nullptr;
  CuResult (*stream_capturing)(CuStream, int* status) = nullptr;
  CuResult (*exchange_capture_mode)(int* mode) = nullptr;

  CuResult (*device_pool)(CuPool*, CuDevice) = nullptr;
  CuResult (*pool_set_attribute)(CuPool, int attribute, void* value) = nullptr;
  CuResult (*allocate)(CuAddress*, std::size_t bytes, CuStream) = nullptr;
  CuResult (*release)(CuAddress, CuStream) = nullptr;
  CuResult (*memory_info)(std::size_t* free, std::size_t* total) = nullptr;
  CuResult (*allocate_pinned)(void**, std::size_t bytes) = nullptr;
  CuResult (*release_pinned)(void*) = nullptr;
  CuResult (*copy_in)(CuAddress to, const void* from, std::size_t bytes, CuStream) = nullptr;
  CuResult (*copy_out)(void* to, CuAddress from, std::size_t bytes, CuStream) = nullptr;
  CuResult (*set_bytes)(CuAddress, unsigned char value, std::size_t count, CuStream) = nullptr;
  CuResult (*stream_create)(CuStream*, unsigned flags) = nullptr;
  CuResult (*stream_destroy)(CuStream) = nullptr;
  CuResult (*stream_wait)(CuStream, CuEvent, unsigned flags) = nullptr;
  CuResult (*event_create)(CuEvent*, unsigned flags) = nullptr;
  CuResult (*event_record)(CuEvent, CuStream) = nullptr;
  CuResult (*event_query)(CuEvent) = nullptr;
  CuResult (*event_synchronize)(CuEvent) = nullptr;
  CuResult (*event_destroy)(CuEvent) = nullptr;

  CuResult (*capture_begin)(CuStream, int mode) = nullptr;
  CuResult (*capture_end)(CuStream, CuGraph*) = nullptr;
  /// cuStreamGetCaptureInfo_v2. `last`: the nodes that the stream's next piece of work depends on.
  CuResult (*capture_info)(CuStream, int* status, unsigned long long* id, CuGraph*,
                           const CuGraphNode** last, std::size_t* count) = nullptr;
  CuResult (*graph_instantiate)(CuGraphExec*, CuGraph, unsigned long long flags) = nullptr;
  CuResult (*graph_update)(CuGraphExec, CuGraph, CuGraphUpdate*) = nullptr;
  /// Each names a node of the graph that the executable one was instantiated from.
  CuResult (*graph_set_kernel)(CuGraphExec, CuGraphNode, const CuKernelNode*) = nullptr;
  CuResult (*graph_set_copy)(CuGraphExec, CuGraphNode, const CuCopyNode*, CuContext) = nullptr;
  CuResult (*graph_set_fill)(CuGraphExec, CuGraphNode, const CuFillNode*, CuContext) = nullptr;
  CuResult (*graph_launch)(CuGraphExec, CuStream) = nullptr;
  CuResult (*graph_exec_destroy)(CuGraphExec) = nullptr;
  CuResult (*graph_destroy)(CuGraph) = nullptr;

  /// Formats an error code: "CUDA_ERROR_INVALID_VALUE (invalid argument)".
  [[nodiscard]] std::string error(CuResult code) const;
};

/// Opens `library` or, if empty, libcuda.so.1, for the life of the process. Returns nullopt and
/// sets `why` if it is missing or too old.
[[nodiscard]] std::optional<CudaApi> open_cuda_api(const std::string& library, std::string& why);

}  // namespace eflow::jit

EFLOW_EXPORT_END

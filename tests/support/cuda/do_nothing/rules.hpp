#pragma once
// What a CUDA driver refuses: rules of the CUDA Driver API reference and of the CUDA C++ Programming Guide, by the page or section
// that states them, with the CUresult that a driver returns. libcuda.cpp enforces them; a test breaks each of them
// (tests/core/cuda/driver_rules_test.cpp).

namespace eflow::driver_rules {

struct Rule {
  const char* where;  ///< a function's page in the reference, or a section of the guide
  const char* text;
  int code;
};

// CUresult.
inline constexpr int kInvalidValue = 1, kInvalidContext = 201, kInvalidHandle = 400,
                     kIllegalState = 401, kCaptureUnsupported = 900, kCaptureInvalidated = 901,
                     kCaptureIsolation = 905, kCapturedEvent = 907, kCaptureWrongThread = 908;

#define EFLOW_DRIVER_RULES(X)                                                                      \
  X(kNoContext, "Context Management", "a call needs a current context", kInvalidContext)           \
  X(kUnpaired, "cuCtxPopCurrent", "a context is popped that was pushed", kInvalidContext)          \
  X(kEmptyGrid, "cuLaunchKernelEx", "all extents of a grid and a block are at least 1",            \
    kInvalidValue)                                                                                 \
  X(kGridX, "Technical Specifications per Compute Capability", "gridDimX is at most 2^31 - 1",     \
    kInvalidValue)                                                                                 \
  X(kGridYz, "Technical Specifications per Compute Capability",                                    \
    "gridDimY and gridDimZ are at most 65535", kInvalidValue)                                      \
  X(kBlockZ, "Technical Specifications per Compute Capability", "blockDimZ is at most 64",         \
    kInvalidValue)                                                                                 \
  X(kThreads, "cuFuncGetAttribute",                                                                \
    "a block has at most CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK threads", kInvalidValue)          \
  X(kDynamicShared, "cuFuncSetAttribute",                                                          \
    "dynamic shared memory is at most what the attribute allows, 48 KiB without it",               \
    kInvalidValue)                                                                                 \
  X(kOptIn, "cuFuncSetAttribute",                                                                  \
    "dynamic and static shared memory are at most the device's opt-in limit", kInvalidValue)       \
  X(kNoArguments, "cuLaunchKernelEx", "a kernel with parameters gets them", kInvalidValue)         \
  X(kUnloaded, "cuLibraryUnload", "its kernels and functions are not used afterwards",             \
    kInvalidHandle)                                                                                \
  X(kUnloadedTwice, "cuLibraryUnload", "the library is loaded", kInvalidHandle)                    \
  X(kMapAlignment, "cuTensorMapEncodeTiled", "the map is 64-byte aligned", kInvalidValue)          \
  X(kMapAddress, "cuTensorMapEncodeTiled", "the address is 16-byte aligned", kInvalidValue)        \
  X(kMapRank, "cuTensorMapEncodeTiled", "the rank is 1 to 5", kInvalidValue)                       \
  X(kMapSizes, "cuTensorMapEncodeTiled", "sizes are 1 to 2^32", kInvalidValue)                     \
  X(kMapStrides, "cuTensorMapEncodeTiled", "strides are multiples of 16 below 2^40",               \
    kInvalidValue)                                                                                 \
  X(kMapBox, "cuTensorMapEncodeTiled", "sizes of the box are 1 to 256", kInvalidValue)             \
  X(kMapSteps, "cuTensorMapEncodeTiled", "element strides are 1 to 8", kInvalidValue)              \
  X(kMapInner, "cuTensorMapEncodeTiled",                                                           \
    "without interleaving the box's inner dimension is a multiple of 16 bytes", kInvalidValue)     \
  X(kNoBytes, "cuMemAllocAsync", "at least one byte is allocated", kInvalidValue)                  \
  X(kFree, "cuMemFreeAsync",                                                                       \
    "the address is one that cuMemAllocAsync returned and that was not freed", kInvalidValue)      \
  X(kFreeHost, "cuMemFreeHost",                                                                    \
    "the address is one that cuMemAllocHost returned and that was not freed", kInvalidValue)       \
  X(kCopyIn, "cuMemcpyHtoDAsync", "the destination lies in one allocation", kInvalidValue)         \
  X(kCopyOut, "cuMemcpyDtoHAsync", "the source lies in one allocation", kInvalidValue)             \
  X(kFill, "cuMemsetD8Async", "the destination lies in one allocation", kInvalidValue)             \
  X(kStreamHandle, "Stream Management", "a stream exists and was not destroyed", kInvalidHandle)   \
  X(kEventHandle, "Event Management", "an event exists and was not destroyed", kInvalidHandle)     \
  X(kGraphHandle, "Graph Management", "a graph exists and was not destroyed", kInvalidValue)       \
  X(kExecHandle, "Graph Management", "an executable graph exists and was not destroyed",           \
    kInvalidValue)                                                                                 \
  X(kNodeGraph, "cuGraphExecKernelNodeSetParams",                                                  \
    "the node is one of the graph that the executable one was instantiated from", kInvalidValue)   \
  X(kNodeGraphGone, "cuGraphExecKernelNodeSetParams", "that graph was not destroyed",              \
    kInvalidValue)                                                                                 \
  X(kNodeKind, "cuGraphExecKernelNodeSetParams", "the node is of the parameters' kind",            \
    kInvalidValue)                                                                                 \
  X(kNodeCopy, "cuGraphExecMemcpyNodeSetParams",                                                   \
    "memory types and dimensions of a copy do not change", kInvalidValue)                          \
  X(kNodeFill, "cuGraphExecMemsetNodeSetParams", "the height of a fill does not change",           \
    kInvalidValue)                                                                                 \
  X(kCaptureTwice, "cuStreamBeginCapture", "the stream does not capture already", kIllegalState)   \
  X(kCaptureLegacy, "cuStreamBeginCapture", "the stream is not the legacy default stream",         \
    kCaptureUnsupported)                                                                           \
  X(kCaptureNone, "cuStreamEndCapture", "the stream captures", kIllegalState)                      \
  X(kCaptureThread, "cuStreamEndCapture",                                                          \
    "the thread is the one that began, unless in relaxed mode", kCaptureWrongThread)               \
  X(kInvalidated, "Prohibited and Unhandled Operations", "no call invalidated the capture",        \
    kCaptureInvalidated)                                                                           \
  X(kSynchronize, "Prohibited and Unhandled Operations", "a capturing stream is not synchronised", \
    kCaptureUnsupported)                                                                           \
  X(kSynchronizeOther, "cuThreadExchangeStreamCaptureMode",                                        \
    "a capturing thread synchronises no stream", kCaptureUnsupported)                              \
  X(kSynchronizeEvent, "cuThreadExchangeStreamCaptureMode",                                        \
    "a capturing thread synchronises no event", kCaptureUnsupported)                               \
  X(kPinned, "cuThreadExchangeStreamCaptureMode", "a capturing thread allocates no pinned memory", \
    kCaptureUnsupported)                                                                           \
  X(kReleasePinned, "cuThreadExchangeStreamCaptureMode",                                           \
    "a capturing thread frees no pinned memory", kCaptureUnsupported)                              \
  X(kLoad, "cuThreadExchangeStreamCaptureMode", "a capturing thread loads no library",             \
    kCaptureUnsupported)                                                                           \
  X(kPageable, "Prohibited and Unhandled Operations", "no copy to pageable memory is captured",    \
    kCaptureUnsupported)                                                                           \
  X(kQueryCaptured, "cuEventQuery", "the event was not recorded in a capture", kCapturedEvent)     \
  X(kWaitCaptured, "cuEventSynchronize", "the event was not recorded in a capture",                \
    kCapturedEvent)                                                                                \
  X(kIsolation, "cuStreamWaitEvent",                                                               \
    "a capturing stream waits for no event recorded outside of the capture", kCaptureIsolation)    \
  /* Of ours: a driver accepts these, but the memory would belong to the graph. */                 \
  X(kCapturedAllocation, "cuMemAllocAsync, of ours", "memory is allocated between captures",       \
    kCaptureUnsupported)                                                                           \
  X(kCapturedFree, "cuMemFreeAsync, of ours", "memory is freed between captures",                  \
    kCaptureUnsupported)                                                                           \
  X(kCapturedGraph, "cuGraphLaunch, of ours", "a graph is launched between captures",              \
    kCaptureUnsupported)

#define EFLOW_RULE(name, where, text, code) name,
enum Name { EFLOW_DRIVER_RULES(EFLOW_RULE) kRuleCount };
#undef EFLOW_RULE

inline constexpr Rule kRules[] = {
#define EFLOW_RULE(name, where, text, code) {where, text, code},
    EFLOW_DRIVER_RULES(EFLOW_RULE)
#undef EFLOW_RULE
};

}  // namespace eflow::driver_rules

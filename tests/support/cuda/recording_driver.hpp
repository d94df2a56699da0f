#pragma once
// A CUDA driver for machines without one: it has one or more H100s that run nothing, notes every call, and fails any that a
// test names. One at a time: the driver's functions carry no state of their own. Like a real one it takes calls from several
// threads at once, each with its own current context; a test reads what was noted when they are done.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "eflow/jit/cuda/api.hpp"
#include "eflow/tests/support/cuda/tensor_map_emulation.hpp"

namespace eflow::test {

class RecordingDriver {
 public:
  struct Launch {
    jit::CuLaunchConfig config;
    std::string args;     ///< the bytes of the kernel's one argument
    std::string context;  ///< current at the call: "none", "primary", "other"
  };

  int devices = 1;
  std::map<std::string, int> failing;  ///< CUresult by name of the call
  std::vector<std::string> calls;
  std::vector<Launch> launches;
  std::size_t args_bytes = 8;  ///< of the kernels in all images
  int max_threads = 1024, static_shared = 0;
  int dynamic_shared = 0;  ///< opted in
  int capturing = 0;
  bool loading_relaxed = false;  ///< whether the last load ran in relaxed capture mode
  int retained = 0, loaded = 0;
  int l2_promotion = -1;  ///< of the last tensor map
  jit::CuContext primary = reinterpret_cast<jit::CuContext>(0x11);
  static inline thread_local jit::CuContext current = nullptr;
  static inline thread_local int mode = 0;  ///< of capture

  RecordingDriver() {
    instance = this;
    current = nullptr;
    mode = 0;
  }
  ~RecordingDriver() { instance = nullptr; }
  RecordingDriver(const RecordingDriver&) = delete;
  RecordingDriver& operator=(const RecordingDriver&) = delete;

  [[nodiscard]] int count(const std::string& name) const {
    int n = 0;
    for (const std::string& call : calls) n += call == name;
    return n;
  }

  [[nodiscard]] static jit::CudaApi api() {
    jit::CudaApi a;
    a.init = [](unsigned) { return on("cuInit"); };
    a.driver_version = [](int* v) { return *v = 13000, on("cuDriverGetVersion"); };
    a.device_count = [](int* n) { return *n = self()->devices, on("cuDeviceGetCount"); };
    a.device_get = [](int* d, int i) { return *d = i, on("cuDeviceGet"); };
    a.device_name = [](char* s, int n, int) {
      std::strncpy(s, "Recorded GPU", static_cast<std::size_t>(n));
      return on("cuDeviceGetName");
    };
    a.device_attribute = [](int* v, int attribute, int) {
      *v = attribute == jit::cu::kDeviceMajor                 ? 9
           : attribute == jit::cu::kDeviceMinor               ? 0
           : attribute == jit::cu::kDeviceSharedPerBlockOptin ? 232448
                                                              : 132;
      return on("cuDeviceGetAttribute");
    };
    a.device_bus = [](char* s, int n, int device) {
      std::snprintf(s, static_cast<std::size_t>(n), "0000:%02x:00.0", device);
      return on("cuDeviceGetPCIBusId");
    };
    a.device_memory = [](std::size_t* n, int) { return *n = 80ul << 30, on("cuDeviceTotalMem"); };
    a.error_name = [](int code, const char** s) {
      return *s = code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_UNKNOWN", 0;
    };
    a.error_string = [](int, const char** s) { return *s = "as the test wants it", 0; };
    a.context_retain = [](jit::CuContext* c, int) {
      ++self()->retained;
      return *c = self()->primary, on("cuDevicePrimaryCtxRetain");
    };
    a.context_release = [](int) { return --self()->retained, on("cuDevicePrimaryCtxRelease"); };
    a.context_current = [](jit::CuContext* c) { return *c = current, on("cuCtxGetCurrent"); };
    a.context_push = [](jit::CuContext c) {
      const int code = on("cuCtxPushCurrent");
      if (code == 0) below = current, current = c;
      return code;
    };
    a.context_pop = [](jit::CuContext* c) {
      *c = current;
      current = below;
      return on("cuCtxPopCurrent");
    };
    a.library_load = [](jit::CuLibrary* l, const void*, int* options, void** values, unsigned n,
                        int*, void**, unsigned) {
      const int code = on("cuLibraryLoadData");
      self()->loading_relaxed = mode == jit::cu::kCaptureRelaxed;
      for (unsigned i = 0; code != 0 && i < n; ++i) {
        if (options[i] == jit::cu::kJitErrorLog)
          std::strcpy(static_cast<char*>(values[i]), "the image is not for this device");
      }
      self()->loaded += code == 0;
      return *l = reinterpret_cast<jit::CuLibrary>(0x22), code;
    };
    a.library_unload = [](jit::CuLibrary) { return --self()->loaded, on("cuLibraryUnload"); };
    a.library_kernel = [](jit::CuKernel* k, jit::CuLibrary, const char* name) {
      self()->kernel_name = name;
      return *k = reinterpret_cast<jit::CuKernel>(0x33), on("cuLibraryGetKernel");
    };
    a.kernel_function = [](jit::CuFunction* f, jit::CuKernel) {
      return *f = reinterpret_cast<jit::CuFunction>(0x44), on("cuKernelGetFunction");
    };
    a.kernel_parameter = [](jit::CuKernel, std::size_t, std::size_t* offset, std::size_t* bytes) {
      *offset = 0;
      return *bytes = self()->args_bytes, on("cuKernelGetParamInfo");
    };
    a.function_attribute = [](int* v, int attribute, jit::CuFunction) {
      *v = attribute == jit::cu::kFunctionMaxThreads ? self()->max_threads : self()->static_shared;
      return on("cuFuncGetAttribute");
    };
    a.function_set_attribute = [](jit::CuFunction, int attribute, int value) {
      if (attribute == jit::cu::kFunctionMaxDynamicSharedBytes) self()->dynamic_shared = value;
      return on("cuFuncSetAttribute");
    };
    a.launch = [](const jit::CuLaunchConfig* config, jit::CuFunction, void** parameters, void**) {
      const int code = on("cuLaunchKernelEx");
      if (code == 0) {
        self()->launches.push_back(
            {*config, std::string(static_cast<const char*>(parameters[0]), self()->args_bytes),
             current == self()->primary ? "primary" : "none"});
      }
      return code;
    };
    a.tensor_map_encode = [](void* map, int type, unsigned rank, void* address,
                             const unsigned long long* sizes, const unsigned long long* strides,
                             const unsigned* box, const unsigned* steps, int interleave,
                             int swizzle, int l2_promotion, int fill) {
      const int code = on("cuTensorMapEncodeTiled");
      self()->l2_promotion = l2_promotion;
      return code != 0
                 ? code
                 : emulated::encode_tensor_map(map, type, rank, address, sizes, strides, box, steps,
                                               interleave, swizzle, l2_promotion, fill);
    };
    a.stream_synchronize = [](jit::CuStream stream) {
      self()->used_streams.insert(stream);
      return on("cuStreamSynchronize");
    };
    a.stream_capturing = [](jit::CuStream, int* status) {
      return *status = self()->capturing, on("cuStreamIsCapturing");
    };
    a.exchange_capture_mode = [](int* other) {
      std::swap(*other, mode);
      return on("cuThreadExchangeStreamCaptureMode");
    };
    add_memory(a);
    add_graphs(a);
    return a;
  }

  // Memory of the device is the host's: copies are done, and what a test reads back it has written.
  std::map<jit::CuAddress, std::size_t> allocated;  ///< now held from the pool
  std::map<jit::CuAddress, jit::CuStream> released_on;
  std::size_t capacity = 80ul << 30;  ///< bytes of the pool; beyond them it is out of memory
  std::size_t keeps = 0;              ///< the pool's release threshold
  int pinned = 0, events = 0, streams = 0, graphs = 0, executables = 0;
  std::set<jit::CuStream> used_streams;  ///< by copies, fills and waits

  std::string kernel_name;

 private:
  static inline RecordingDriver* instance = nullptr;
  static inline std::recursive_mutex mutex;

  /// The driver, no other thread's while this lives.
  class Held {
   public:
    RecordingDriver* operator->() const { return instance; }

   private:
    std::lock_guard<std::recursive_mutex> lock_{mutex};
  };
  static Held self() { return {}; }
  static void add_graphs(jit::CudaApi& a) {
    a.capture_begin = [](jit::CuStream, int) {
      self()->capturing = 1;
      return on("cuStreamBeginCapture");
    };
    a.capture_end = [](jit::CuStream, jit::CuGraph* graph) {
      self()->capturing = 0;
      *graph = reinterpret_cast<jit::CuGraph>(++self()->graphs + 0x300l);
      return on("cuStreamEndCapture");
    };
    a.graph_instantiate = [](jit::CuGraphExec* exec, jit::CuGraph, unsigned long long) {
      const int code = on("cuGraphInstantiate");
      if (code == 0) *exec = reinterpret_cast<jit::CuGraphExec>(++self()->executables + 0x400l);
      return code;
    };
    a.graph_update = [](jit::CuGraphExec, jit::CuGraph, jit::CuGraphUpdate*) {
      return on("cuGraphExecUpdate");
    };
    a.graph_launch = [](jit::CuGraphExec, jit::CuStream) { return on("cuGraphLaunch"); };
    a.graph_exec_destroy = [](jit::CuGraphExec) {
      return --self()->executables, on("cuGraphExecDestroy");
    };
    a.graph_destroy = [](jit::CuGraph) { return --self()->graphs, on("cuGraphDestroy"); };
  }
  static void add_memory(jit::CudaApi& a) {
    a.device_pool = [](jit::CuPool* p, int) {
      return *p = reinterpret_cast<jit::CuPool>(0x55), on("cuDeviceGetDefaultMemPool");
    };
    a.pool_set_attribute = [](jit::CuPool, int attribute, void* value) {
      if (attribute == jit::cu::kPoolReleaseThreshold)
        self()->keeps = *static_cast<std::uint64_t*>(value);
      return on("cuMemPoolSetAttribute");
    };
    a.allocate = [](jit::CuAddress* p, std::size_t bytes, jit::CuStream) {
      const Held driver;
      std::size_t held = bytes;
      for (const auto& [address, size] : driver->allocated) held += size;
      int code = on("cuMemAllocAsync");
      if (code == 0 && held > driver->capacity) code = jit::cu::kOutOfMemory;
      if (code != 0) return code;
      *p = reinterpret_cast<jit::CuAddress>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
      driver->allocated[*p] = bytes;
      return 0;
    };
    a.release = [](jit::CuAddress p, jit::CuStream stream) {
      self()->allocated.erase(p);
      self()->released_on[p] = stream;
      std::free(reinterpret_cast<void*>(p));
      return on("cuMemFreeAsync");
    };
    a.memory_info = [](std::size_t* free, std::size_t* total) {
      const Held driver;
      *total = *free = driver->capacity;
      for (const auto& [address, size] : driver->allocated) *free -= size;
      return on("cuMemGetInfo");
    };
    a.allocate_pinned = [](void** p, std::size_t bytes) {
      ++self()->pinned;
      return *p = std::malloc(bytes), on("cuMemAllocHost");
    };
    a.release_pinned = [](void* p) {
      --self()->pinned;
      return std::free(p), on("cuMemFreeHost");
    };
    a.copy_in = [](jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream stream) {
      self()->used_streams.insert(stream);
      return std::memcpy(reinterpret_cast<void*>(to), from, bytes), on("cuMemcpyHtoDAsync");
    };
    a.copy_out = [](void* to, jit::CuAddress from, std::size_t bytes, jit::CuStream stream) {
      self()->used_streams.insert(stream);
      return std::memcpy(to, reinterpret_cast<void*>(from), bytes), on("cuMemcpyDtoHAsync");
    };
    a.set_bytes = [](jit::CuAddress to, unsigned char value, std::size_t n, jit::CuStream stream) {
      self()->used_streams.insert(stream);
      return std::memset(reinterpret_cast<void*>(to), value, n), on("cuMemsetD8Async");
    };
    a.stream_create = [](jit::CuStream* s, unsigned) {
      return *s = reinterpret_cast<jit::CuStream>(++self()->streams + 0x100l), on("cuStreamCreate");
    };
    a.stream_destroy = [](jit::CuStream) { return --self()->streams, on("cuStreamDestroy"); };
    a.stream_wait = [](jit::CuStream, jit::CuEvent, unsigned) { return on("cuStreamWaitEvent"); };
    a.event_create = [](jit::CuEvent* e, unsigned) {
      return *e = reinterpret_cast<jit::CuEvent>(++self()->events + 0x200l), on("cuEventCreate");
    };
    a.event_record = [](jit::CuEvent, jit::CuStream) { return on("cuEventRecord"); };
    a.event_query = [](jit::CuEvent) { return on("cuEventQuery"); };
    a.event_synchronize = [](jit::CuEvent) { return on("cuEventSynchronize"); };
    a.event_destroy = [](jit::CuEvent) { return --self()->events, on("cuEventDestroy"); };
  }
  /// Notes the call; its result.
  static int on(const std::string& name) {
    const Held driver;
    driver->calls.push_back(name);
    const auto found = driver->failing.find(name);
    return found == driver->failing.end() ? 0 : found->second;
  }
  static inline thread_local jit::CuContext below = nullptr;
};

}  // namespace eflow::test

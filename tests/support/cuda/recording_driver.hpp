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
#include "eflow/tests/support/cuda/fake_graphs.hpp"
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
  FakeGraphs graphs;
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
    a.error_string = [](int code, const char** s) {
      const bool wanted = code == 700 || self()->graphs.rule.empty();
      return *s = wanted ? "as the test wants it" : self()->graphs.rule.c_str(), 0;
    };
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
    a.launch = [](const jit::CuLaunchConfig* config, jit::CuFunction function, void** parameters,
                  void**) {
      const int code = on("cuLaunchKernelEx");
      if (code == 0) {
        static_cast<void>(
            self()->graphs.capture(config->stream, FakeGraphs::kKernel, function, [] {}));
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
    a.stream_capturing = [](jit::CuStream stream, int* status) {
      return *status = self()->graphs.is_capturing(stream) ? 1 : 0, on("cuStreamIsCapturing");
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
  int pinned = 0, events = 0, streams = 0;
  std::set<jit::CuStream> used_streams;  ///< by copies, fills and waits
  /// Calls that order or issue copies, in order.
  struct Ordered {
    std::string call;
    jit::CuStream stream;
    jit::CuEvent event;
  };
  std::vector<Ordered> ordered;

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
  /// The failure of a call that a test names, or what `call` returns.
  template <class F>
  static int checked(const char* name, F&& call) {
    const int code = on(name);
    return code != 0 ? code : call();
  }
  static void add_graphs(jit::CudaApi& a) {
    a.capture_begin = [](jit::CuStream stream, int) {
      return checked("cuStreamBeginCapture", [&] { return self()->graphs.begin(stream); });
    };
    // It ends the capture even if it fails.
    a.capture_end = [](jit::CuStream stream, jit::CuGraph* graph) {
      const int ended = self()->graphs.end(stream, graph);
      return checked("cuStreamEndCapture", [&] { return ended; });
    };
    a.capture_info = [](jit::CuStream stream, int* status, unsigned long long*, jit::CuGraph*,
                        const jit::CuGraphNode** last, std::size_t* count) {
      return checked("cuStreamGetCaptureInfo",
                     [&] { return self()->graphs.info(stream, status, last, count); });
    };
    a.graph_instantiate = [](jit::CuGraphExec* exec, jit::CuGraph graph, unsigned long long) {
      return checked("cuGraphInstantiate", [&] { return self()->graphs.instantiate(exec, graph); });
    };
    a.graph_update = [](jit::CuGraphExec exec, jit::CuGraph graph, jit::CuGraphUpdate*) {
      return checked("cuGraphExecUpdate", [&] { return self()->graphs.update(exec, graph); });
    };
    a.graph_set_kernel = [](jit::CuGraphExec exec, jit::CuGraphNode node,
                            const jit::CuKernelNode* now) {
      return checked("cuGraphExecKernelNodeSetParams",
                     [&] { return self()->graphs.set_kernel(exec, node, now, [] {}); });
    };
    a.graph_set_copy = [](jit::CuGraphExec exec, jit::CuGraphNode node, const jit::CuCopyNode* now,
                          jit::CuContext) {
      return checked("cuGraphExecMemcpyNodeSetParams", [&] {
        return self()->graphs.set_copy(exec, node, now,
                                       copy_of(now->to.device, now->from.host, now->width_bytes));
      });
    };
    a.graph_set_fill = [](jit::CuGraphExec exec, jit::CuGraphNode node, const jit::CuFillNode* now,
                          jit::CuContext) {
      return checked("cuGraphExecMemsetNodeSetParams", [&] {
        return self()->graphs.set_fill(exec, node, now, fill_of(now->to, now->value, now->width));
      });
    };
    a.graph_launch = [](jit::CuGraphExec exec, jit::CuStream stream) {
      return checked("cuGraphLaunch", [&] {
        std::vector<FakeGraphs::Run> work;
        const int code = self()->graphs.launch(exec, stream, &work);
        for (const FakeGraphs::Run& run : work) run();
        return code;
      });
    };
    a.graph_exec_destroy = [](jit::CuGraphExec exec) {
      return on("cuGraphExecDestroy"), self()->graphs.destroy(exec);
    };
    a.graph_destroy = [](jit::CuGraph graph) {
      return on("cuGraphDestroy"), self()->graphs.destroy(graph);
    };
  }
  static FakeGraphs::Run copy_of(jit::CuAddress to, const void* from, std::size_t bytes) {
    return [=] { std::memcpy(reinterpret_cast<void*>(to), from, bytes); };
  }
  static FakeGraphs::Run fill_of(jit::CuAddress to, unsigned value, std::size_t bytes) {
    return [=] { std::memset(reinterpret_cast<void*>(to), static_cast<int>(value), bytes); };
  }
  /// Does the work, or captures it.
  static void run_or_capture(jit::CuStream stream, FakeGraphs::Kind kind, FakeGraphs::Run run) {
    if (!self()->graphs.capture(stream, kind, nullptr, run)) run();
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
      std::memset(reinterpret_cast<void*>(*p), 0, bytes);
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
      const int code = on("cuMemAllocHost");
      if (code != 0) return code;
      ++self()->pinned;
      return *p = std::malloc(bytes), 0;
    };
    a.release_pinned = [](void* p) {
      --self()->pinned;
      return std::free(p), on("cuMemFreeHost");
    };
    a.copy_in = [](jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream stream) {
      self()->used_streams.insert(stream);
      self()->ordered.push_back({"cuMemcpyHtoDAsync", stream, nullptr});
      run_or_capture(stream, FakeGraphs::kCopy, copy_of(to, from, bytes));
      return on("cuMemcpyHtoDAsync");
    };
    a.copy_out = [](void* to, jit::CuAddress from, std::size_t bytes, jit::CuStream stream) {
      self()->used_streams.insert(stream);
      return std::memcpy(to, reinterpret_cast<void*>(from), bytes), on("cuMemcpyDtoHAsync");
    };
    a.set_bytes = [](jit::CuAddress to, unsigned char value, std::size_t n, jit::CuStream stream) {
      self()->used_streams.insert(stream);
      run_or_capture(stream, FakeGraphs::kFill, fill_of(to, value, n));
      return on("cuMemsetD8Async");
    };
    a.stream_create = [](jit::CuStream* s, unsigned) {
      return *s = reinterpret_cast<jit::CuStream>(++self()->streams + 0x100l), on("cuStreamCreate");
    };
    a.stream_destroy = [](jit::CuStream) { return --self()->streams, on("cuStreamDestroy"); };
    a.stream_wait = [](jit::CuStream stream, jit::CuEvent event, unsigned) {
      self()->ordered.push_back({"cuStreamWaitEvent", stream, event});
      return on("cuStreamWaitEvent");
    };
    a.event_create = [](jit::CuEvent* e, unsigned) {
      return *e = reinterpret_cast<jit::CuEvent>(++self()->events + 0x200l), on("cuEventCreate");
    };
    a.event_record = [](jit::CuEvent event, jit::CuStream stream) {
      self()->ordered.push_back({"cuEventRecord", stream, event});
      return on("cuEventRecord");
    };
    a.event_query = [](jit::CuEvent) { return on("cuEventQuery"); };
    a.event_synchronize = [](jit::CuEvent) { return on("cuEventSynchronize"); };
    a.event_destroy = [](jit::CuEvent) { return --self()->events, on("cuEventDestroy"); };
  }

 public:
  /// Notes the call; its result.
  static int on(const std::string& name) {
    const Held driver;
    driver->calls.push_back(name);
    const auto found = driver->failing.find(name);
    return found == driver->failing.end() ? 0 : found->second;
  }

 private:
  static inline thread_local jit::CuContext below = nullptr;
};

}  // namespace eflow::test

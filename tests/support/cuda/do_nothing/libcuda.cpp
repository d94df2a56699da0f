// A CUDA driver that executes nothing, as a shared library with the driver's own symbols (EFLOW_CUDA_DRIVER names it). Device
// memory is host memory, kernels are accepted and counted but not run. With it a machine without a GPU compiles and packs every
// kernel that a command launches, counts launches, and finds calls that a real driver refuses.
//
// It enforces the rules of rules.hpp and returns the errors that the reference names; eflow_driver_violations() tells how often
// one was broken. With EFLOW_DRIVER_REPORT=FILE, counts and violations are appended to FILE when the process ends.
//
// EFLOW_DRIVER_FAULT plants a fault in the first kernel, as scripts/gpu_check.sh --rehearse does: hang (it never ends, so no wait
// for it does), crash (of the process), illegal (CUDA_ERROR_ILLEGAL_ADDRESS, which every later call returns too).

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "eflow/tests/support/cuda/do_nothing/rules.hpp"

namespace {

using namespace eflow::driver_rules;
using Result = int;
using Handle = void*;
using Address = unsigned long long;

constexpr Result kSuccess = 0, kOutOfMemory = 2, kDeinitialized = 4, kNotReady = 600,
                 kIllegalAddress = 700;
constexpr int kGlobal = 0, kRelaxed = 2;  // modes of capture
constexpr unsigned kMostX = 0x7fffffff, kMostYz = 65535, kMostThreads = 1024, kMostZThreads = 64;
constexpr int kSharedPerBlock = 232448;  // of sm_90

struct LaunchConfig {
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  Handle stream;
  void* attributes;
  unsigned attribute_count;
};

struct Kernel {
  std::string name;
  int dynamic_shared = 48 << 10;
};

struct KernelNode {
  Handle function;
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  void **parameters, **extra;
  Handle kernel, context;
};
struct CopySide {
  std::size_t x_bytes, y, z, lod;
  int memory_type;
  void* host;
  Address device;
  void *array, *reserved;
  std::size_t pitch, height;
};
struct CopyNode {
  CopySide from, to;
  std::size_t width_bytes, height, depth;
};
struct FillNode {
  Address to;
  std::size_t pitch;
  unsigned value, element_bytes;
  std::size_t width, height;
};

struct Graph;
/// A node of a captured graph.
struct Node {
  enum Kind { kKernel, kCopy, kFill } kind;
  const Graph* graph;
};
struct Graph {
  std::vector<Node*> nodes;
};
struct Executable {
  const Graph* from = nullptr;
};

/// A capture under way.
struct Capture {
  int mode = kGlobal;
  unsigned long thread = 0, number = 0;
  bool valid = true;
  Graph* graph = nullptr;
};

/// State of the process. Never destroyed: the program may call the driver while it exits.
struct State {
  std::mutex mutex;
  std::map<std::string, long> launches, counts;
  long violations[kRuleCount] = {};
  std::map<Handle, Capture> captures;  ///< by stream
  unsigned long captures_begun = 0;
  std::map<Handle, unsigned long> events;  ///< capture in which it was recorded; 0: none
  std::map<Address, std::size_t> allocations;
  std::map<Address, std::size_t> pinned;
  std::set<Handle> libraries, streams, graphs, executables;
  std::vector<Handle> made;  ///< also those that were destroyed: leak checkers find them here
  bool exiting = false;
};
State& state() {
  static State* const s = new State;
  return *s;
}

/// The contexts that a thread pushed. Without a destructor: a thread's last calls may come later.
struct Contexts {
  static constexpr int kMost = 64;
  Handle all[kMost];
  int count;
  [[nodiscard]] bool empty() const { return count == 0; }
  [[nodiscard]] Handle back() const { return all[count - 1]; }
};
thread_local Contexts contexts = {};
thread_local int capture_mode = kGlobal;  // of this thread's calls
unsigned long this_thread() {
  static std::atomic<unsigned long> threads = 0;
  thread_local const unsigned long number = ++threads;
  return number;
}

void count(const char* what, long n = 1) {
  const std::lock_guard lock(state().mutex);
  state().counts[what] += n;
}
Result broken(Name rule) {
  const std::lock_guard lock(state().mutex);
  ++state().violations[rule];
  return kRules[rule].code;
}
bool is_capturing(Handle stream) {
  const std::lock_guard lock(state().mutex);
  return state().captures.count(stream) != 0;
}
/// Breaks a rule of captures, which ends those of the stream, or of this thread.
Result broken_in_capture(Name rule, const Handle* stream) {
  {
    const std::lock_guard lock(state().mutex);
    for (auto& [of, capture] : state().captures) {
      if (stream != nullptr ? of == *stream : capture.thread == this_thread())
        capture.valid = false;
    }
  }
  return broken(rule);
}
/// Whether a potentially unsafe call of this thread would invalidate a capture: the page of
/// cuThreadExchangeStreamCaptureMode.
bool unsafe() {
  if (capture_mode == kRelaxed) return false;
  const std::lock_guard lock(state().mutex);
  return std::any_of(state().captures.begin(), state().captures.end(), [](const auto& entry) {
    const Capture& c = entry.second;
    if (c.thread == this_thread()) return c.mode != kRelaxed;
    return capture_mode == kGlobal && c.mode == kGlobal;
  });
}
constexpr unsigned long kNeverRecorded = ~0ul;
/// Whether the event was last recorded in a capture.
bool was_captured(Handle event) {
  const std::lock_guard lock(state().mutex);
  const unsigned long in = state().events[event];
  return in != 0 && in != kNeverRecorded;
}

/// Whether a handle was created and not destroyed; a null stream is the legacy default one.
bool exists(const std::set<Handle>& all, Handle handle) {
  const std::lock_guard lock(state().mutex);
  return all.count(handle) != 0;
}
bool is_stream(Handle stream) {
  return stream == nullptr || exists(state().streams, stream);
}
bool is_event(Handle event) {
  const std::lock_guard lock(state().mutex);
  return state().events.count(event) != 0;
}
template <class T>
Result create(std::set<Handle>& all, Handle* out) {
  *out = new T;
  const std::lock_guard lock(state().mutex);
  state().made.push_back(*out);
  all.insert(*out);
  return kSuccess;
}
/// False if there was none. The memory stays (State::made), so that no later handle has the same
/// value.
bool destroy(std::set<Handle>& all, Handle handle) {
  const std::lock_guard lock(state().mutex);
  return all.erase(handle) != 0;
}
bool inside(const std::map<Address, std::size_t>& all, Address at, std::size_t bytes) {
  const std::lock_guard lock(state().mutex);
  auto found = all.upper_bound(at);
  if (found == all.begin()) return false;
  --found;
  return at + bytes <= found->first + found->second;
}
bool inside_an_allocation(Address at, std::size_t bytes) {
  return inside(state().allocations, at, bytes);
}

/// Adds a node to what the stream captures.
void capture(Handle stream, Node::Kind kind) {
  const std::lock_guard lock(state().mutex);
  const auto found = state().captures.find(stream);
  if (found == state().captures.end()) return;
  Graph* const graph = found->second.graph;
  graph->nodes.push_back(new Node{kind, graph});
}
/// Sets parameters of a node, of which nothing is kept.
Result set_node(Handle executable, Handle node, Node::Kind kind) {
  if (!exists(state().executables, executable)) return broken(kExecHandle);
  const Graph* const from = static_cast<Executable*>(executable)->from;
  if (!exists(state().graphs, const_cast<Graph*>(from))) return broken(kNodeGraphGone);
  if (static_cast<Node*>(node)->graph != from) return broken(kNodeGraph);
  if (static_cast<Node*>(node)->kind != kind) return broken(kNodeKind);
  return count("nodes changed"), kSuccess;
}

std::atomic<bool> faulty = false;  ///< a kernel ran into the planted fault
bool planted(const char* fault) {
  const char* const name = std::getenv("EFLOW_DRIVER_FAULT");
  return name != nullptr && std::strcmp(name, fault) == 0;
}
void run_into_fault() {
  if (planted("crash")) std::raise(SIGSEGV);
  faulty = planted("hang") || planted("illegal");
}
/// What a call returns that does not wait for kernels.
Result context_state() {
  return faulty && planted("illegal") ? kIllegalAddress : kSuccess;
}
/// What a wait returns, if it does.
Result wait_for_kernels() {
  while (faulty && planted("hang")) pause();
  return context_state();
}

/// Writes the report when the process ends.
struct Reporter {
  ~Reporter() {
    State& s = state();
    s.exiting = true;
    const char* path = std::getenv("EFLOW_DRIVER_REPORT");
    std::FILE* out = path != nullptr ? std::fopen(path, "a") : nullptr;
    if (out == nullptr) return;
    long launches = 0;
    for (const auto& [name, n] : s.launches) {
      std::fprintf(out, "launch %ld %s\n", n, name.c_str());
      launches += n;
    }
    std::fprintf(out, "launches %ld\n", launches);
    for (const auto& [what, n] : s.counts) std::fprintf(out, "count %ld %s\n", n, what.c_str());
    for (int i = 0; i < kRuleCount; ++i) {
      if (s.violations[i] > 0)
        std::fprintf(out, "violation %ld %s: %s\n", s.violations[i], kRules[i].where,
                     kRules[i].text);
    }
    std::fclose(out);
  }
} reporter;

}  // namespace

extern "C" {

/// How often a rule was broken.
long eflow_driver_violations(int rule) {
  const std::lock_guard lock(state().mutex);
  return state().violations[rule];
}

Result cuInit(unsigned) {
  return kSuccess;
}
Result cuDriverGetVersion(int* version) {
  return *version = 13000, kSuccess;
}
Result cuDeviceGetCount(int* n) {
  return *n = 1, kSuccess;
}
Result cuDeviceGet(int* device, int ordinal) {
  return *device = ordinal, kSuccess;
}
Result cuDeviceGetName(char* name, int length, int) {
  std::snprintf(name, static_cast<std::size_t>(length), "a driver that executes nothing");
  return kSuccess;
}
/// An H100's values.
Result cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 16:
      *value = 132;
      break;  // multiprocessors
    case 38:
      *value = 50 << 20;
      break;  // L2 bytes
    case 75:
      *value = 9;
      break;  // compute capability, major
    case 76:
      *value = 0;
      break;  // minor
    case 97:
      *value = kSharedPerBlock;
      break;  // shared memory of a block, opt-in
    default:
      *value = 0;
  }
  return kSuccess;
}
Result cuDeviceGetPCIBusId(char* text, int length, int device) {
  std::snprintf(text, static_cast<std::size_t>(length), "0000:%02x:00.0", device);
  return kSuccess;
}
Result cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  return *bytes = std::size_t{80} << 30, kSuccess;
}
Result cuGetErrorName(Result code, const char** name) {
  switch (code) {
    case kSuccess:
      *name = "CUDA_SUCCESS";
      break;
    case kInvalidValue:
      *name = "CUDA_ERROR_INVALID_VALUE";
      break;
    case kOutOfMemory:
      *name = "CUDA_ERROR_OUT_OF_MEMORY";
      break;
    case kDeinitialized:
      *name = "CUDA_ERROR_DEINITIALIZED";
      break;
    case kIllegalAddress:
      *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
      break;
    case kInvalidContext:
      *name = "CUDA_ERROR_INVALID_CONTEXT";
      break;
    case kInvalidHandle:
      *name = "CUDA_ERROR_INVALID_HANDLE";
      break;
    case kIllegalState:
      *name = "CUDA_ERROR_ILLEGAL_STATE";
      break;
    case kCaptureIsolation:
      *name = "CUDA_ERROR_STREAM_CAPTURE_ISOLATION";
      break;
    case kCaptureWrongThread:
      *name = "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD";
      break;
    case kCaptureUnsupported:
      *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
      break;
    case kCaptureInvalidated:
      *name = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED";
      break;
    case kCapturedEvent:
      *name = "CUDA_ERROR_CAPTURED_EVENT";
      break;
    default:
      *name = "CUDA_ERROR_UNKNOWN";
  }
  return kSuccess;
}
Result cuGetErrorString(Result, const char** text) {
  return *text = "refused by the driver that executes nothing", kSuccess;
}

Result cuDevicePrimaryCtxRetain(Handle* context, int) {
  return *context = reinterpret_cast<Handle>(0x1000), kSuccess;
}
Result cuDevicePrimaryCtxRelease_v2(int) {
  return state().exiting ? kDeinitialized : kSuccess;
}
Result cuCtxGetCurrent(Handle* context) {
  if (state().exiting) return kDeinitialized;
  return *context = contexts.empty() ? nullptr : contexts.back(), kSuccess;
}
Result cuCtxPushCurrent_v2(Handle context) {
  if (contexts.count == Contexts::kMost) return broken(kUnpaired);
  return contexts.all[contexts.count++] = context, kSuccess;
}
Result cuCtxPopCurrent_v2(Handle* context) {
  if (contexts.empty()) return broken(kUnpaired);
  *context = contexts.back();
  return --contexts.count, kSuccess;
}

Result cuLibraryLoadData(Handle* library, const void*, int*, void**, unsigned, int*, void**,
                         unsigned) {
  if (unsafe()) return broken_in_capture(kLoad, nullptr);
  return create<Kernel>(state().libraries, library);
}
Result cuLibraryUnload(Handle library) {
  return destroy(state().libraries, library) ? kSuccess : broken(kUnloadedTwice);
}
Result cuLibraryGetKernel(Handle* kernel, Handle library, const char* name) {
  if (!exists(state().libraries, library)) return broken(kUnloaded);
  static_cast<Kernel*>(library)->name = name;
  return *kernel = library, kSuccess;
}
Result cuKernelGetFunction(Handle* function, Handle kernel) {
  if (!exists(state().libraries, kernel)) return broken(kUnloaded);
  return *function = kernel, kSuccess;
}
Result cuFuncGetAttribute(int* value, int attribute, Handle) {
  return *value = attribute == 0 ? static_cast<int>(kMostThreads) : 0, kSuccess;
}
Result cuFuncSetAttribute(Handle function, int attribute, int value) {
  if (!exists(state().libraries, function)) return broken(kUnloaded);
  if (attribute != 8) return kSuccess;
  if (value > kSharedPerBlock) return broken(kOptIn);
  return static_cast<Kernel*>(function)->dynamic_shared = value, kSuccess;
}
Result cuLaunchKernelEx(const LaunchConfig* c, Handle function, void** parameters, void**) {
  if (contexts.empty()) return broken(kNoContext);
  if (!exists(state().libraries, function)) return broken(kUnloaded);
  if (!is_stream(c->stream)) return broken(kStreamHandle);
  auto* const kernel = static_cast<Kernel*>(function);
  for (const unsigned extent :
       {c->grid_x, c->grid_y, c->grid_z, c->block_x, c->block_y, c->block_z}) {
    if (extent == 0) return broken(kEmptyGrid);
  }
  if (c->grid_x > kMostX) return broken(kGridX);
  if (c->grid_y > kMostYz || c->grid_z > kMostYz) return broken(kGridYz);
  if (c->block_z > kMostZThreads) return broken(kBlockZ);
  if (1ull * c->block_x * c->block_y * c->block_z > kMostThreads) return broken(kThreads);
  if (c->shared_bytes > static_cast<unsigned>(kernel->dynamic_shared))
    return broken(kDynamicShared);
  if (parameters == nullptr || parameters[0] == nullptr) return broken(kNoArguments);
  if (context_state() != kSuccess) return context_state();
  run_into_fault();
  capture(c->stream, Node::kKernel);
  const std::lock_guard lock(state().mutex);
  ++state().launches[kernel->name];
  return kSuccess;
}
Result cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address,
                              const unsigned long long* sizes, const unsigned long long* strides,
                              const unsigned* box, const unsigned* steps, int interleave, int, int,
                              int) {
  if (reinterpret_cast<std::size_t>(map) % 64 != 0) return broken(kMapAlignment);
  if (reinterpret_cast<std::size_t>(address) % 16 != 0) return broken(kMapAddress);
  if (rank < 1 || rank > 5) return broken(kMapRank);
  for (unsigned i = 0; i < rank; ++i) {
    if (sizes[i] < 1 || sizes[i] > 1ull << 32) return broken(kMapSizes);
    if (i > 0 && (strides[i - 1] % 16 != 0 || strides[i - 1] >= 1ull << 40))
      return broken(kMapStrides);
    if (box[i] < 1 || box[i] > 256) return broken(kMapBox);
    if (steps[i] < 1 || steps[i] > 8) return broken(kMapSteps);
  }
  // Bytes of CUtensorMapDataType: u8, u16, u32, s32, u64, s64, f16, f32, f64, bf16, f32, tf32, tf32.
  constexpr unsigned kBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  if (interleave == 0 && box[0] * kBytes[type] % 16 != 0) return broken(kMapInner);
  return kSuccess;
}

Result cuStreamSynchronize(Handle stream) {
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (is_capturing(stream)) return broken_in_capture(kSynchronize, &stream);
  if (unsafe()) return broken_in_capture(kSynchronizeOther, nullptr);
  return count("synchronisations"), wait_for_kernels();
}
Result cuStreamIsCapturing(Handle stream, int* status) {
  const std::lock_guard lock(state().mutex);
  const auto found = state().captures.find(stream);
  return *status = found == state().captures.end() ? 0 : found->second.valid ? 1 : 2, kSuccess;
}
Result cuThreadExchangeStreamCaptureMode(int* mode) {
  std::swap(*mode, capture_mode);
  return kSuccess;
}
Result cuStreamCreate(Handle* stream, unsigned) {
  return contexts.empty() ? broken(kNoContext) : create<char>(state().streams, stream);
}
Result cuStreamDestroy_v2(Handle stream) {
  return destroy(state().streams, stream) ? kSuccess : broken(kStreamHandle);
}
/// Waiting for an event that was never recorded is allowed and waits for nothing.
Result cuStreamWaitEvent(Handle stream, Handle event, unsigned) {
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (!is_event(event)) return broken(kEventHandle);
  unsigned long capture = 0, recorded = 0;
  {
    const std::lock_guard lock(state().mutex);
    if (const auto found = state().captures.find(stream); found != state().captures.end())
      capture = found->second.number;
    recorded = state().events[event];
  }
  const bool crosses = capture != 0 && recorded != kNeverRecorded && recorded != capture;
  return crosses ? broken_in_capture(kIsolation, &stream) : kSuccess;
}

Result cuDeviceGetDefaultMemPool(Handle* pool, int) {
  return *pool = reinterpret_cast<Handle>(0x2000), kSuccess;
}
Result cuMemPoolSetAttribute(Handle, int, void*) {
  return kSuccess;
}
Result cuMemAllocAsync(Address* address, std::size_t bytes, Handle stream) {
  if (contexts.empty()) return broken(kNoContext);
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (bytes == 0) return broken(kNoBytes);
  if (is_capturing(stream)) return broken(kCapturedAllocation);
  if (context_state() != kSuccess) return context_state();
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) return kOutOfMemory;
  if (bytes <= std::size_t{1} << 20) std::memset(memory, 0, bytes);
  *address = reinterpret_cast<Address>(memory);
  count("allocations");
  const std::lock_guard lock(state().mutex);
  state().allocations[*address] = bytes;
  return kSuccess;
}
Result cuMemFreeAsync(Address address, Handle stream) {
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (is_capturing(stream)) return broken(kCapturedFree);
  bool known = false;
  {
    const std::lock_guard lock(state().mutex);
    known = state().allocations.erase(address) != 0;
  }
  if (!known) return broken(kFree);
  std::free(reinterpret_cast<void*>(address));
  return kSuccess;
}
Result cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *free = std::size_t{70} << 30;
  *total = std::size_t{80} << 30;
  return kSuccess;
}
Result cuMemAllocHost_v2(void** memory, std::size_t bytes) {
  if (contexts.empty()) return broken(kNoContext);
  if (unsafe()) return broken_in_capture(kPinned, nullptr);
  *memory = std::calloc(1, bytes);
  if (*memory == nullptr) return kOutOfMemory;
  const std::lock_guard lock(state().mutex);
  state().pinned[reinterpret_cast<Address>(*memory)] = bytes;
  return kSuccess;
}
Result cuMemFreeHost(void* memory) {
  if (unsafe()) return broken_in_capture(kReleasePinned, nullptr);
  bool known = false;
  {
    const std::lock_guard lock(state().mutex);
    known = state().pinned.erase(reinterpret_cast<Address>(memory)) != 0;
  }
  if (!known) return broken(kFreeHost);
  return std::free(memory), kSuccess;
}
Result cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, Handle stream) {
  if (contexts.empty()) return broken(kNoContext);
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (!inside_an_allocation(to, bytes)) return broken(kCopyIn);
  if (context_state() != kSuccess) return context_state();
  capture(stream, Node::kCopy);
  count("copies to the device");
  count("bytes to the device", static_cast<long>(bytes));
  return std::memcpy(reinterpret_cast<void*>(to), from, bytes), kSuccess;
}
Result cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, Handle stream) {
  if (contexts.empty()) return broken(kNoContext);
  if (!is_stream(stream)) return broken(kStreamHandle);
  const bool pinned = inside(state().pinned, reinterpret_cast<Address>(to), bytes);
  if (is_capturing(stream) && !pinned) return broken_in_capture(kPageable, &stream);
  if (!inside_an_allocation(from, bytes)) return broken(kCopyOut);
  if (context_state() != kSuccess) return context_state();
  count("copies from the device");
  return std::memcpy(to, reinterpret_cast<const void*>(from), bytes), kSuccess;
}
Result cuMemsetD8Async(Address at, unsigned char value, std::size_t bytes, Handle stream) {
  if (contexts.empty()) return broken(kNoContext);
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (!inside_an_allocation(at, bytes)) return broken(kFill);
  capture(stream, Node::kFill);
  count("fills");
  return std::memset(reinterpret_cast<void*>(at), value, bytes), kSuccess;
}

Result cuEventCreate(Handle* event, unsigned) {
  if (contexts.empty()) return broken(kNoContext);
  *event = new char;
  const std::lock_guard lock(state().mutex);
  state().made.push_back(*event);
  state().events[*event] = kNeverRecorded;
  return kSuccess;
}
Result cuEventRecord(Handle event, Handle stream) {
  if (!is_event(event)) return broken(kEventHandle);
  if (!is_stream(stream)) return broken(kStreamHandle);
  const std::lock_guard lock(state().mutex);
  const auto found = state().captures.find(stream);
  state().events[event] = found == state().captures.end() ? 0 : found->second.number;
  return kSuccess;
}
Result cuEventQuery(Handle event) {
  if (!is_event(event)) return broken(kEventHandle);
  if (was_captured(event)) return broken(kQueryCaptured);
  return faulty && planted("hang") ? kNotReady : context_state();
}
Result cuEventSynchronize(Handle event) {
  if (!is_event(event)) return broken(kEventHandle);
  if (unsafe()) return broken_in_capture(kSynchronizeEvent, nullptr);
  if (was_captured(event)) return broken(kWaitCaptured);
  return wait_for_kernels();
}
Result cuEventDestroy_v2(Handle event) {
  if (!is_event(event)) return broken(kEventHandle);
  const std::lock_guard lock(state().mutex);
  state().events.erase(event);
  return kSuccess;
}

Result cuStreamBeginCapture_v2(Handle stream, int mode) {
  if (contexts.empty()) return broken(kNoContext);
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (stream == nullptr) return broken(kCaptureLegacy);
  if (is_capturing(stream)) return broken(kCaptureTwice);
  auto* const graph = new Graph;
  const std::lock_guard lock(state().mutex);
  state().made.push_back(graph);
  state().captures[stream] = {mode, this_thread(), ++state().captures_begun, true, graph};
  return kSuccess;
}
Result cuStreamEndCapture(Handle stream, Handle* graph) {
  *graph = nullptr;
  Capture capture;
  {
    const std::lock_guard lock(state().mutex);
    const auto found = state().captures.find(stream);
    if (found != state().captures.end()) capture = found->second;
  }
  if (capture.number == 0) return broken(kCaptureNone);
  if (capture.mode != kRelaxed && capture.thread != this_thread()) return broken(kCaptureThread);
  {
    const std::lock_guard lock(state().mutex);
    state().captures.erase(stream);
  }
  if (!capture.valid) return broken(kInvalidated);
  const std::lock_guard lock(state().mutex);
  state().graphs.insert(capture.graph);
  return *graph = capture.graph, kSuccess;
}
Result cuStreamGetCaptureInfo_v2(Handle stream, int* status, unsigned long long*, Handle*,
                                 Handle const** last, std::size_t* n) {
  thread_local Handle node = nullptr;
  const std::lock_guard lock(state().mutex);
  const auto found = state().captures.find(stream);
  *status = found != state().captures.end() ? 1 : 0;
  *n = 0;
  if (*status == 0 || found->second.graph->nodes.empty()) return kSuccess;
  node = found->second.graph->nodes.back();
  *last = &node;
  *n = 1;
  return kSuccess;
}
Result cuGraphInstantiateWithFlags(Handle* executable, Handle graph, unsigned long long) {
  if (!exists(state().graphs, graph)) return broken(kGraphHandle);
  count("graphs instantiated");
  *executable = new Executable{static_cast<Graph*>(graph)};
  const std::lock_guard lock(state().mutex);
  state().made.push_back(*executable);
  state().executables.insert(*executable);
  return kSuccess;
}
Result cuGraphExecUpdate_v2(Handle executable, Handle graph, void*) {
  if (!exists(state().executables, executable)) return broken(kExecHandle);
  if (!exists(state().graphs, graph)) return broken(kGraphHandle);
  return count("graphs updated"), kSuccess;
}
Result cuGraphExecKernelNodeSetParams_v2(Handle executable, Handle node, const KernelNode* now) {
  if (!exists(state().libraries, now->function)) return broken(kUnloaded);
  const auto* const kernel = static_cast<Kernel*>(now->function);
  if (now->shared_bytes > static_cast<unsigned>(kernel->dynamic_shared))
    return broken(kDynamicShared);
  return set_node(executable, node, Node::kKernel);
}
Result cuGraphExecMemcpyNodeSetParams(Handle executable, Handle node, const CopyNode* now, Handle) {
  constexpr int kHost = 1, kDevice = 2;
  if (now->from.memory_type != kHost || now->to.memory_type != kDevice || now->height != 1 ||
      now->depth != 1)
    return broken(kNodeCopy);
  if (!inside_an_allocation(now->to.device, now->width_bytes)) return broken(kCopyIn);
  return set_node(executable, node, Node::kCopy);
}
Result cuGraphExecMemsetNodeSetParams(Handle executable, Handle node, const FillNode* now, Handle) {
  if (now->height != 1) return broken(kNodeFill);
  if (!inside_an_allocation(now->to, now->width * now->element_bytes)) return broken(kFill);
  return set_node(executable, node, Node::kFill);
}
Result cuGraphLaunch(Handle executable, Handle stream) {
  if (contexts.empty()) return broken(kNoContext);
  if (!is_stream(stream)) return broken(kStreamHandle);
  if (!exists(state().executables, executable)) return broken(kExecHandle);
  if (is_capturing(stream)) return broken(kCapturedGraph);
  if (context_state() != kSuccess) return context_state();
  run_into_fault();
  return count("graphs launched"), kSuccess;
}
Result cuGraphExecDestroy(Handle executable) {
  return destroy(state().executables, executable) ? kSuccess : broken(kExecHandle);
}
Result cuGraphDestroy(Handle graph) {
  return destroy(state().graphs, graph) ? kSuccess : broken(kGraphHandle);
}

}  // extern "C"

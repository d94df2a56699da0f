// A CUDA driver that executes nothing, as a shared library with the driver's own symbols (EFLOW_CUDA_DRIVER names it). Device
// memory is host memory, kernels are accepted and counted but not run. With it a machine without a GPU compiles and packs every
// kernel that a command launches, counts launches, and finds calls that a real driver refuses.
//
// Rules it enforces, by the sections of the CUDA Driver API reference and programming guide that state them:
//   - "Stream capture": no synchronisation of a capturing stream; no event that was recorded in a capture may be waited for by the
//     host; no potentially unsafe call (cuMemAllocHost, cuMemFreeHost, cuEventSynchronize, cuStreamSynchronize, cuLibraryLoadData)
//     from a thread that captures in thread-local mode, unless it exchanged its mode for relaxed; copies out of the device need
//     pinned memory.
//   - "cuLaunchKernelEx": gridDimY and gridDimZ up to 65535, up to 1024 threads, dynamic shared memory up to what
//     cuFuncSetAttribute asked for.
//   - "cuTensorMapEncodeTiled": the map is 64-byte aligned, the address 16-byte aligned.
//   - Copies and fills stay inside one allocation.
// A violation returns the error that the reference names. With EFLOW_DRIVER_REPORT=FILE, counts and violations are appended to
// FILE when the process ends.
//
// EFLOW_DRIVER_FAULT plants a fault in the first kernel, as scripts/gpu_check.sh --rehearse does: hang (it never ends, so no wait
// for it does), crash (of the process), illegal (CUDA_ERROR_ILLEGAL_ADDRESS, which every later call returns too).

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace {

using Result = int;
using Handle = void*;
using Address = unsigned long long;

constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kDeinitialized = 4,
                 kNotReady = 600, kIllegalAddress = 700, kCaptureUnsupported = 900,
                 kCaptureInvalidated = 901, kCapturedEvent = 907;
constexpr int kRelaxed = 2;
constexpr unsigned kMostYz = 65535, kMostThreads = 1024;
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

/// State of the process. Never destroyed: the program may call the driver while it exits.
struct State {
  std::mutex mutex;
  std::map<std::string, long> launches, counts, violations;
  std::set<Handle> capturing;
  std::map<Handle, bool> recorded_in_capture;
  std::map<Address, std::size_t> allocations;
  bool exiting = false;
};
State& state() {
  static State* const s = new State;
  return *s;
}

thread_local Handle current_context = nullptr;
thread_local int capture_mode = 0;
thread_local int captures = 0;  // that this thread began and did not end

void count(const char* what, long n = 1) {
  const std::lock_guard lock(state().mutex);
  state().counts[what] += n;
}
Result violation(const char* what, Result code) {
  const std::lock_guard lock(state().mutex);
  ++state().violations[what];
  return code;
}
bool is_capturing(Handle stream) {
  const std::lock_guard lock(state().mutex);
  return state().capturing.count(stream) != 0;
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

/// Whether a potentially unsafe call of this thread would end its capture.
bool unsafe() {
  return captures > 0 && capture_mode != kRelaxed;
}

bool inside_an_allocation(Address at, std::size_t bytes) {
  const std::lock_guard lock(state().mutex);
  auto found = state().allocations.upper_bound(at);
  if (found == state().allocations.begin()) return false;
  --found;
  return at + bytes <= found->first + found->second;
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
    for (const auto& [what, n] : s.violations)
      std::fprintf(out, "violation %ld %s\n", n, what.c_str());
    std::fclose(out);
  }
} reporter;

}  // namespace

extern "C" {

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
  return *context = current_context, kSuccess;
}
Result cuCtxPushCurrent_v2(Handle context) {
  return current_context = context, kSuccess;
}
Result cuCtxPopCurrent_v2(Handle* context) {
  *context = current_context;
  current_context = nullptr;
  return kSuccess;
}

Result cuLibraryLoadData(Handle* library, const void*, int*, void**, unsigned, int*, void**,
                         unsigned) {
  if (unsafe())
    return violation("cuLibraryLoadData while the thread captures", kCaptureUnsupported);
  return *library = new Kernel, kSuccess;
}
Result cuLibraryUnload(Handle) {
  return kSuccess;
}
Result cuLibraryGetKernel(Handle* kernel, Handle library, const char* name) {
  static_cast<Kernel*>(library)->name = name;
  return *kernel = library, kSuccess;
}
Result cuKernelGetFunction(Handle* function, Handle kernel) {
  return *function = kernel, kSuccess;
}
Result cuFuncGetAttribute(int* value, int attribute, Handle) {
  return *value = attribute == 0 ? static_cast<int>(kMostThreads) : 0, kSuccess;
}
Result cuFuncSetAttribute(Handle function, int attribute, int value) {
  if (attribute != 8) return kSuccess;
  if (value > kSharedPerBlock)
    return violation("more dynamic shared memory than the device has", kInvalidValue);
  return static_cast<Kernel*>(function)->dynamic_shared = value, kSuccess;
}
Result cuLaunchKernelEx(const LaunchConfig* c, Handle function, void**, void**) {
  auto* const kernel = static_cast<Kernel*>(function);
  const bool empty = c->grid_x == 0 || c->grid_y == 0 || c->grid_z == 0 || c->block_x == 0;
  if (empty || c->grid_y > kMostYz || c->grid_z > kMostYz ||
      c->block_x * c->block_y * c->block_z > kMostThreads)
    return violation("a grid or block outside the limits", kInvalidValue);
  if (c->shared_bytes > static_cast<unsigned>(kernel->dynamic_shared))
    return violation("more dynamic shared memory than cuFuncSetAttribute asked for", kInvalidValue);
  if (context_state() != kSuccess) return context_state();
  run_into_fault();
  const std::lock_guard lock(state().mutex);
  ++state().launches[kernel->name];
  return kSuccess;
}
Result cuTensorMapEncodeTiled(void* map, int, unsigned, void* address, const unsigned long long*,
                              const unsigned long long*, const unsigned*, const unsigned*, int, int,
                              int, int) {
  if (reinterpret_cast<std::size_t>(map) % 64 != 0)
    return violation("a tensor map that is not 64-byte aligned", kInvalidValue);
  if (reinterpret_cast<std::size_t>(address) % 16 != 0) return kInvalidValue;
  return kSuccess;
}

Result cuStreamSynchronize(Handle stream) {
  if (is_capturing(stream))
    return violation("cuStreamSynchronize of a capturing stream", kCaptureUnsupported);
  if (unsafe())
    return violation("cuStreamSynchronize while the thread captures", kCaptureUnsupported);
  return count("synchronisations"), wait_for_kernels();
}
Result cuStreamIsCapturing(Handle stream, int* status) {
  return *status = is_capturing(stream) ? 1 : 0, kSuccess;
}
Result cuThreadExchangeStreamCaptureMode(int* mode) {
  std::swap(*mode, capture_mode);
  return kSuccess;
}
Result cuStreamCreate(Handle* stream, unsigned) {
  return *stream = new char, kSuccess;
}
Result cuStreamDestroy_v2(Handle stream) {
  return delete static_cast<char*>(stream), kSuccess;
}
Result cuStreamWaitEvent(Handle, Handle, unsigned) {
  return kSuccess;
}

Result cuDeviceGetDefaultMemPool(Handle* pool, int) {
  return *pool = reinterpret_cast<Handle>(0x2000), kSuccess;
}
Result cuMemPoolSetAttribute(Handle, int, void*) {
  return kSuccess;
}
Result cuMemAllocAsync(Address* address, std::size_t bytes, Handle stream) {
  if (is_capturing(stream))
    return violation("cuMemAllocAsync into a capture: memory would belong to the graph",
                     kCaptureUnsupported);
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
  if (is_capturing(stream)) return violation("cuMemFreeAsync into a capture", kCaptureUnsupported);
  {
    const std::lock_guard lock(state().mutex);
    if (state().allocations.erase(address) == 0) {
      ++state().violations["a release of memory that was not allocated"];
      return kInvalidValue;
    }
  }
  std::free(reinterpret_cast<void*>(address));
  return kSuccess;
}
Result cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *free = std::size_t{70} << 30;
  *total = std::size_t{80} << 30;
  return kSuccess;
}
Result cuMemAllocHost_v2(void** memory, std::size_t bytes) {
  if (unsafe()) return violation("cuMemAllocHost while the thread captures", kCaptureUnsupported);
  *memory = std::calloc(1, bytes);
  return *memory != nullptr ? kSuccess : kOutOfMemory;
}
Result cuMemFreeHost(void* memory) {
  if (unsafe()) return violation("cuMemFreeHost while the thread captures", kCaptureUnsupported);
  return std::free(memory), kSuccess;
}
Result cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, Handle) {
  if (!inside_an_allocation(to, bytes))
    return violation("a copy to the device outside an allocation", kInvalidValue);
  if (context_state() != kSuccess) return context_state();
  count("copies to the device");
  count("bytes to the device", static_cast<long>(bytes));
  return std::memcpy(reinterpret_cast<void*>(to), from, bytes), kSuccess;
}
Result cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, Handle stream) {
  if (is_capturing(stream))
    return violation("a copy to pageable memory in a capture", kCaptureUnsupported);
  if (!inside_an_allocation(from, bytes))
    return violation("a copy from the device outside an allocation", kInvalidValue);
  if (context_state() != kSuccess) return context_state();
  count("copies from the device");
  return std::memcpy(to, reinterpret_cast<const void*>(from), bytes), kSuccess;
}
Result cuMemsetD8Async(Address at, unsigned char value, std::size_t bytes, Handle) {
  if (!inside_an_allocation(at, bytes))
    return violation("a fill outside an allocation", kInvalidValue);
  count("fills");
  return std::memset(reinterpret_cast<void*>(at), value, bytes), kSuccess;
}

Result cuEventCreate(Handle* event, unsigned) {
  return *event = new char, kSuccess;
}
Result cuEventRecord(Handle event, Handle stream) {
  const bool captured = is_capturing(stream);
  const std::lock_guard lock(state().mutex);
  return state().recorded_in_capture[event] = captured, kSuccess;
}
Result cuEventQuery(Handle event) {
  const std::lock_guard lock(state().mutex);
  if (!state().recorded_in_capture[event])
    return faulty && planted("hang") ? kNotReady : context_state();
  ++state().violations["cuEventQuery of an event that was recorded in a capture"];
  return kCapturedEvent;
}
Result cuEventSynchronize(Handle event) {
  if (unsafe())
    return violation("cuEventSynchronize while the thread captures", kCaptureUnsupported);
  const std::lock_guard lock(state().mutex);
  if (!state().recorded_in_capture[event]) return wait_for_kernels();
  ++state().violations["cuEventSynchronize of an event that was recorded in a capture"];
  return kCapturedEvent;
}
Result cuEventDestroy_v2(Handle event) {
  const std::lock_guard lock(state().mutex);
  state().recorded_in_capture.erase(event);
  return delete static_cast<char*>(event), kSuccess;
}

Result cuStreamBeginCapture_v2(Handle stream, int mode) {
  if (is_capturing(stream)) return violation("a second capture of a stream", kCaptureUnsupported);
  capture_mode = mode;
  ++captures;
  const std::lock_guard lock(state().mutex);
  state().capturing.insert(stream);
  return kSuccess;
}
Result cuStreamEndCapture(Handle stream, Handle* graph) {
  const std::lock_guard lock(state().mutex);
  if (state().capturing.erase(stream) == 0) return kCaptureInvalidated;
  --captures;
  return *graph = new char, kSuccess;
}
Result cuGraphInstantiateWithFlags(Handle* executable, Handle, unsigned long long) {
  count("graphs instantiated");
  return *executable = new char, kSuccess;
}
Result cuGraphExecUpdate_v2(Handle, Handle, void*) {
  return count("graphs updated"), kSuccess;
}
Result cuGraphLaunch(Handle, Handle stream) {
  if (is_capturing(stream))
    return violation("a graph launched into a capture", kCaptureUnsupported);
  return count("graphs launched"), kSuccess;
}
Result cuGraphExecDestroy(Handle executable) {
  return delete static_cast<char*>(executable), kSuccess;
}
Result cuGraphDestroy(Handle graph) {
  return delete static_cast<char*>(graph), kSuccess;
}

}  // extern "C"

// A recording driver whose launches, memory, graphs and events act on one emulated machine.
#include "eflow/tests/support/cuda/emulated_gpu.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/emulation/machine.hpp"
#include "eflow/tests/support/cuda/device_memory.hpp"
#include "eflow/tests/support/cuda/emulated_texts.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

namespace eflow::test {
namespace {

/// The text between two marks of a program.
std::string_view between(std::string_view text, std::string_view from, std::string_view to) {
  const std::size_t begin = text.find(from) + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

/// A kernel's arguments, aligned as the driver aligns them.
class Arguments {
 public:
  Arguments(const void* bytes, std::size_t count)
      : lines_((count + sizeof(Line) - 1) / sizeof(Line)) {
    std::memcpy(lines_.data(), bytes, count);
  }
  [[nodiscard]] const void* data() const { return lines_.data(); }

 private:
  struct alignas(128) Line {
    char bytes[128];
  };
  std::vector<Line> lines_;
};

/// State of the single emulated GPU of a test; the driver's functions carry no state of their own.
struct Machine {
  std::recursive_mutex mutex;  ///< several threads may issue work, which then runs in some order
  DeviceMemory memory{std::size_t{1} << 30};
  std::mutex loading;
  std::deque<const jit::BuiltinEntry*> loaded;  ///< entry of each handle
  FakeGraphs* graphs = nullptr;
  long long launches = 0, bulk_copies = 0;
  int waits = 0;
  /// Copies from pinned memory and graphs run as late as a driver may run them: before the next
  /// work of their stream, and before what waits for them.
  std::map<jit::CuStream, std::vector<FakeGraphs::Run>> late;
  std::map<jit::CuEvent, jit::CuStream> recorded;
  std::map<const std::byte*, std::size_t> pinned;

  [[nodiscard]] bool is_pinned(const void* host) const {
    const auto* const p = static_cast<const std::byte*>(host);
    const auto after = pinned.upper_bound(p);
    return after != pinned.begin() && p < std::prev(after)->first + std::prev(after)->second;
  }
  void finish(jit::CuStream stream) {
    for (const FakeGraphs::Run& run : std::exchange(late[stream], {})) run();
  }
};
Machine* machine = nullptr;

/// Executes the work, or records it while a graph is captured.
int issue(const char* call, jit::CuStream stream, FakeGraphs::Kind kind, jit::CuFunction function,
          FakeGraphs::Run work, bool late = false) {
  const std::lock_guard lock(machine->mutex);
  if (const int code = RecordingDriver::on(call); code != 0) return code;
  if (machine->graphs->capture(stream, kind, function, work)) return 0;
  if (late) return machine->late[stream].push_back(std::move(work)), 0;
  machine->finish(stream);
  work();
  return 0;
}
/// Calls that the driver rejects during capture.
int unless_capturing(int code = 0) {
  constexpr int kCaptureUnsupported = 900;
  if (!machine->graphs->thread_captures()) return code;
  machine->graphs->rule = "the call is not allowed while the thread captures a stream";
  return kCaptureUnsupported;
}

const jit::BuiltinEntry*& entry_of(void* handle) {
  return *static_cast<const jit::BuiltinEntry**>(handle);
}

int load(jit::CuLibrary* library, const void* image, int* options, void** values, unsigned n, int*,
         void**, unsigned) {
  const std::string_view program(static_cast<const char*>(image));
  const bool bulk = program.find("#define EFLOW_BULK_COPIES 1\n") != std::string_view::npos;
  // The last include is the kernel's text.
  const std::string_view text =
      program.substr(std::min(program.rfind("#include \""), program.size()));
  const auto* const entry = find_emulated(between(text, "#include \"", "\""),
                                          between(program, "#define EFLOW_ENTRY ", "\n"), bulk);
  for (unsigned i = 0; entry == nullptr && i < n; ++i) {
    if (options[i] == jit::cu::kJitErrorLog)
      std::strcpy(static_cast<char*>(values[i]), "only built-in kernel texts are emulated");
  }
  if (entry == nullptr) return 200;
  const std::lock_guard lock(machine->loading);
  machine->loaded.push_back(entry);
  *library = reinterpret_cast<jit::CuLibrary>(&machine->loaded.back());
  return 0;
}

/// What a launch does. Copies the arguments.
FakeGraphs::Run kernel_of(jit::CuFunction function, int threads, std::size_t shared_bytes,
                          const unsigned (&grid)[3], void** parameters) {
  emulated::Launch now;
  now.threads = threads;
  now.shared_bytes = shared_bytes;
  now.x = grid[0];
  now.y = grid[1];
  now.z = grid[2];
  const jit::BuiltinEntry* const entry = entry_of(function);
  const Arguments args(parameters[0], entry->args_bytes);
  return [now, entry, args]() mutable {
    // Alternates execution orders: results must not depend on them.
    now.schedule = {.last_first = machine->launches % 2 == 1, .late_copies = true};
    ++machine->launches;
    const DeviceMemory::Open open(machine->memory);
    const emulated::Outcome outcome = emulated::run(now, entry->run, args.data());
    machine->bulk_copies += outcome.bulk_copies;
    if (!outcome.error.empty()) throw DeviceError(str(entry->expression, ": ", outcome.error));
  };
}
FakeGraphs::Run copy_of(jit::CuAddress to, const void* from, std::size_t bytes) {
  return [=] {
    const DeviceMemory::Open open(machine->memory);
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  };
}
FakeGraphs::Run fill_of(jit::CuAddress to, unsigned value, std::size_t bytes) {
  return [=] {
    const DeviceMemory::Open open(machine->memory);
    std::memset(reinterpret_cast<void*>(to), static_cast<int>(value), bytes);
  };
}

int launch(const jit::CuLaunchConfig* c, jit::CuFunction function, void** parameters, void**) {
  return issue("cuLaunchKernelEx", c->stream, FakeGraphs::kKernel, function,
               kernel_of(function, static_cast<int>(c->block_x), c->shared_bytes,
                         {c->grid_x, c->grid_y, c->grid_z}, parameters));
}

void use_memory(jit::CudaApi& a) {
  a.allocate = [](jit::CuAddress* p, std::size_t bytes, jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    machine->finish(stream);
    void* const memory = machine->memory.allocate(bytes);
    *p = reinterpret_cast<jit::CuAddress>(memory);
    return unless_capturing(memory == nullptr ? jit::cu::kOutOfMemory : 0);
  };
  a.release = [](jit::CuAddress p, jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    machine->finish(stream);
    machine->memory.release(reinterpret_cast<void*>(p));
    return unless_capturing();
  };
  // A copy from pinned memory reads its source when it runs, as on a real driver.
  a.copy_in = [](jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    return issue("cuMemcpyHtoDAsync", stream, FakeGraphs::kCopy, nullptr, copy_of(to, from, bytes),
                 machine->is_pinned(from));
  };
  a.copy_out = [](void* to, jit::CuAddress from, std::size_t bytes, jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    machine->finish(stream);
    const DeviceMemory::Open open(machine->memory);
    std::memcpy(to, reinterpret_cast<void*>(from), bytes);
    return unless_capturing();
  };
  a.set_bytes = [](jit::CuAddress to, unsigned char value, std::size_t n, jit::CuStream stream) {
    return issue("cuMemsetD8Async", stream, FakeGraphs::kFill, nullptr, fill_of(to, value, n));
  };
}

/// Potentially unsafe calls while a thread captures: the documentation of
/// cuThreadExchangeStreamCaptureMode.
void use_pinned_memory(jit::CudaApi& a) {
  static const jit::CudaApi recorded = a;
  a.allocate_pinned = [](void** memory, std::size_t bytes) {
    const std::lock_guard lock(machine->mutex);
    int code = unless_capturing();
    if (code == 0) code = recorded.allocate_pinned(memory, bytes);
    if (code == 0) machine->pinned[static_cast<const std::byte*>(*memory)] = bytes;
    return code;
  };
  a.release_pinned = [](void* memory) {
    const std::lock_guard lock(machine->mutex);
    const int code = unless_capturing();
    if (code != 0) return code;
    machine->pinned.erase(static_cast<const std::byte*>(memory));
    return recorded.release_pinned(memory);
  };
}

void use_events(jit::CudaApi& a) {
  static const jit::CudaApi recorded = a;
  a.event_record = [](jit::CuEvent event, jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    // Of ours, for the host to wait for, which a captured one cannot be.
    const int code = unless_capturing();
    if (code != 0) return code;
    machine->recorded[event] = stream;
    return recorded.event_record(event, stream);
  };
  a.event_synchronize = [](jit::CuEvent event) {
    const std::lock_guard lock(machine->mutex);
    const int code = unless_capturing();
    if (code != 0) return code;
    machine->finish(machine->recorded[event]);
    return recorded.event_synchronize(event);
  };
  a.event_query = [](jit::CuEvent event) {
    const std::lock_guard lock(machine->mutex);
    machine->finish(machine->recorded[event]);
    return recorded.event_query(event);
  };
  a.stream_wait = [](jit::CuStream stream, jit::CuEvent event, unsigned flags) {
    const std::lock_guard lock(machine->mutex);
    machine->finish(machine->recorded[event]);
    return recorded.stream_wait(stream, event, flags);
  };
  a.stream_synchronize = [](jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    machine->finish(stream);
    ++machine->waits;
    return unless_capturing(RecordingDriver::on("cuStreamSynchronize"));
  };
}

void use_graphs(jit::CudaApi& a) {
  a.graph_set_kernel = [](jit::CuGraphExec exec, jit::CuGraphNode node,
                          const jit::CuKernelNode* now) {
    RecordingDriver::on("cuGraphExecKernelNodeSetParams");
    return machine->graphs->set_kernel(
        exec, node, now,
        kernel_of(now->function, static_cast<int>(now->block_x), now->shared_bytes,
                  {now->grid_x, now->grid_y, now->grid_z}, now->parameters));
  };
  a.graph_set_copy = [](jit::CuGraphExec exec, jit::CuGraphNode node, const jit::CuCopyNode* now,
                        jit::CuContext) {
    RecordingDriver::on("cuGraphExecMemcpyNodeSetParams");
    return machine->graphs->set_copy(exec, node, now,
                                     copy_of(now->to.device, now->from.host, now->width_bytes));
  };
  a.graph_set_fill = [](jit::CuGraphExec exec, jit::CuGraphNode node, const jit::CuFillNode* now,
                        jit::CuContext) {
    RecordingDriver::on("cuGraphExecMemsetNodeSetParams");
    return machine->graphs->set_fill(exec, node, now, fill_of(now->to, now->value, now->width));
  };
  a.graph_launch = [](jit::CuGraphExec exec, jit::CuStream stream) {
    const std::lock_guard lock(machine->mutex);
    const int code = RecordingDriver::on("cuGraphLaunch");
    if (code != 0) return code;
    std::vector<FakeGraphs::Run>& late = machine->late[stream];
    return machine->graphs->launch(exec, stream, &late);
  };
}

}  // namespace

struct EmulatedGpu::State {
  Machine here;
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  DevicePtr device;
  bool graphs = false;
};

EmulatedGpu::EmulatedGpu(bool graphs) : state_(std::make_unique<State>()) {
  state_->graphs = graphs;
  machine = &state_->here;
  machine->graphs = &state_->driver.graphs;
  jit::CudaApi& a = state_->api;
  a.library_load = load;
  a.library_kernel = [](jit::CuKernel* kernel, jit::CuLibrary library, const char*) {
    *kernel = reinterpret_cast<jit::CuKernel>(library);
    return 0;
  };
  a.kernel_function = [](jit::CuFunction* function, jit::CuKernel kernel) {
    *function = reinterpret_cast<jit::CuFunction>(kernel);
    return 0;
  };
  a.kernel_parameter = [](jit::CuKernel kernel, std::size_t, std::size_t* offset,
                          std::size_t* bytes) {
    *offset = 0;
    *bytes = entry_of(kernel)->args_bytes;
    return 0;
  };
  a.launch = launch;
  use_memory(a);
  use_pinned_memory(a);
  use_events(a);
  use_graphs(a);
  state_->device = make_device(options());
}

EmulatedGpu::~EmulatedGpu() {
  state_->device.reset();
  machine = nullptr;
}

DevicePtr EmulatedGpu::device() const {
  return state_->device;
}
const jit::CudaApi& EmulatedGpu::api() const {
  return state_->api;
}
jit::Options EmulatedGpu::options() const {
  jit::Options options;
  options.device = "cuda";
  options.cuda = &state_->api;
  options.nvrtc = EFLOW_FAKE_NVRTC;
  options.cublas_library = "off";
  options.graphs = state_->graphs;
  return options;
}
long long EmulatedGpu::launches() const {
  return state_->here.launches;
}
long long EmulatedGpu::bulk_copies() const {
  return state_->here.bulk_copies;
}
long long EmulatedGpu::graphs() const {
  return state_->driver.graphs.launched;
}
int EmulatedGpu::calls(const std::string& name) const {
  return state_->driver.count(name);
}
void EmulatedGpu::fail(const std::string& name, int code) {
  if (code == 0)
    state_->driver.failing.erase(name);
  else
    state_->driver.failing[name] = code;
}
int EmulatedGpu::waits() const {
  return state_->here.waits;
}

}  // namespace eflow::test

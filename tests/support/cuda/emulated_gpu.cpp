// A recording driver whose launches, memory, graphs and events act on one emulated machine.
#include "eflow/tests/support/cuda/emulated_gpu.hpp"

#include <algorithm>
#include <deque>
#include <functional>
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
  long long launches = 0, bulk_copies = 0;
  long long graphs = 0;  ///< number of graph launches
  int waits = 0;
  bool capturing = false;
  std::vector<std::function<void()>> captured;
};
Machine* machine = nullptr;

/// Executes the work, or records it while a graph is captured.
int issue(std::function<void()> work) {
  const std::lock_guard lock(machine->mutex);
  if (machine->capturing)
    machine->captured.push_back(std::move(work));
  else
    work();
  return 0;
}
/// Calls that the driver rejects during capture.
int unless_capturing(int code = 0) {
  constexpr int kCaptureUnsupported = 900;
  return machine->capturing ? kCaptureUnsupported : code;
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

int launch(const jit::CuLaunchConfig* config, jit::CuFunction function, void** parameters, void**) {
  emulated::Launch now;
  now.threads = static_cast<int>(config->block_x);
  now.shared_bytes = config->shared_bytes;
  now.x = config->grid_x;
  now.y = config->grid_y;
  now.z = config->grid_z;
  const jit::BuiltinEntry* const entry = entry_of(function);
  const Arguments args(parameters[0], entry->args_bytes);
  return issue([now, entry, args]() mutable {
    // Alternates execution orders: results must not depend on them.
    now.schedule = {.last_first = machine->launches % 2 == 1, .late_copies = true};
    ++machine->launches;
    const DeviceMemory::Open open(machine->memory);
    const emulated::Outcome outcome = emulated::run(now, entry->run, args.data());
    machine->bulk_copies += outcome.bulk_copies;
    if (!outcome.error.empty()) throw DeviceError(str(entry->expression, ": ", outcome.error));
  });
}

void use_memory(jit::CudaApi& a) {
  a.allocate = [](jit::CuAddress* p, std::size_t bytes, jit::CuStream) {
    const std::lock_guard lock(machine->mutex);
    void* const memory = machine->memory.allocate(bytes);
    *p = reinterpret_cast<jit::CuAddress>(memory);
    return unless_capturing(memory == nullptr ? jit::cu::kOutOfMemory : 0);
  };
  a.release = [](jit::CuAddress p, jit::CuStream) {
    const std::lock_guard lock(machine->mutex);
    machine->memory.release(reinterpret_cast<void*>(p));
    return unless_capturing();
  };
  // A captured copy reads its source when the graph runs, as on a real driver.
  a.copy_in = [](jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream) {
    return issue([=] {
      const DeviceMemory::Open open(machine->memory);
      std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    });
  };
  a.copy_out = [](void* to, jit::CuAddress from, std::size_t bytes, jit::CuStream) {
    const std::lock_guard lock(machine->mutex);
    const DeviceMemory::Open open(machine->memory);
    std::memcpy(to, reinterpret_cast<void*>(from), bytes);
    return unless_capturing();
  };
  a.set_bytes = [](jit::CuAddress to, unsigned char value, std::size_t n, jit::CuStream) {
    return issue([=] {
      const DeviceMemory::Open open(machine->memory);
      std::memset(reinterpret_cast<void*>(to), value, n);
    });
  };
}

/// Potentially unsafe calls while a thread captures: the documentation of cuThreadExchangeStreamCaptureMode.
void refuse_unsafe_calls(jit::CudaApi& a) {
  static const jit::CudaApi recorded = a;
  a.allocate_pinned = [](void** memory, std::size_t bytes) {
    const int code = unless_capturing();
    return code != 0 ? code : recorded.allocate_pinned(memory, bytes);
  };
  a.release_pinned = [](void* memory) {
    const int code = unless_capturing();
    return code != 0 ? code : recorded.release_pinned(memory);
  };
  a.event_record = [](jit::CuEvent event, jit::CuStream stream) {
    const int code =
        unless_capturing();  // of ours, for the host to wait for, which a captured one cannot be
    return code != 0 ? code : recorded.event_record(event, stream);
  };
  a.event_synchronize = [](jit::CuEvent event) {
    const int code = unless_capturing();
    return code != 0 ? code : recorded.event_synchronize(event);
  };
}

using Work = std::vector<std::function<void()>>;

void use_graphs(jit::CudaApi& a) {
  a.capture_begin = [](jit::CuStream, int) { return machine->capturing = true, 0; };
  a.stream_capturing = [](jit::CuStream, int* status) {
    return *status = machine->capturing ? 1 : 0, 0;
  };
  a.capture_end = [](jit::CuStream, jit::CuGraph* graph) {
    machine->capturing = false;
    *graph = reinterpret_cast<jit::CuGraph>(new Work(std::exchange(machine->captured, {})));
    return 0;
  };
  a.graph_destroy = [](jit::CuGraph graph) {
    delete reinterpret_cast<Work*>(graph);
    return 0;
  };
  a.graph_instantiate = [](jit::CuGraphExec* exec, jit::CuGraph graph, unsigned long long) {
    *exec = reinterpret_cast<jit::CuGraphExec>(new Work(*reinterpret_cast<Work*>(graph)));
    return 0;
  };
  a.graph_exec_destroy = [](jit::CuGraphExec exec) {
    delete reinterpret_cast<Work*>(exec);
    return 0;
  };
  a.graph_update = [](jit::CuGraphExec exec, jit::CuGraph graph, jit::CuGraphUpdate*) {
    Work &old = *reinterpret_cast<Work*>(exec), &now = *reinterpret_cast<Work*>(graph);
    constexpr int kUpdateFailure = 910;
    if (old.size() != now.size()) return kUpdateFailure;
    old = now;
    return 0;
  };
  a.graph_launch = [](jit::CuGraphExec exec, jit::CuStream) {
    ++machine->graphs;
    for (const auto& work : *reinterpret_cast<Work*>(exec)) work();
    return unless_capturing();
  };
  a.stream_synchronize = [](jit::CuStream) {
    const std::lock_guard lock(machine->mutex);
    ++machine->waits;
    return unless_capturing();
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
  refuse_unsafe_calls(a);
  use_memory(a);
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
  return state_->here.graphs;
}
int EmulatedGpu::waits() const {
  return state_->here.waits;
}

}  // namespace eflow::test

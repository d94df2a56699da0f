// A recording driver whose launches and memory are the interpreter's.
#include "eflow/tests/support/ptx/ptx_gpu.hpp"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cuda/nvrtc_library.hpp"
#include "eflow/tests/support/cuda/device_memory.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

namespace eflow::test {
namespace {

/// State of the single GPU of a test; the driver's functions carry no state of their own.
struct Machine final : ptx::GlobalMemory {
  DeviceMemory memory{std::size_t{1} << 30};
  std::mutex loading;
  std::deque<ptx::Program> loaded;
  long long launches = 0;
  std::map<std::string, long long> launched;
  ptx::Counts counts;
  std::vector<PtxGpu::Profiled> profiles;
  PtxGpu::Config config;

  [[nodiscard]] Range find(ptx::u64 address) const override {
    const auto [begin, bytes] = memory.find(reinterpret_cast<const void*>(address));
    return {reinterpret_cast<ptx::u64>(begin), reinterpret_cast<ptx::u64>(begin) + bytes};
  }
};
Machine* machine = nullptr;

const ptx::Program& program_of(void* handle) {
  return *static_cast<const ptx::Program*>(handle);
}

int load(jit::CuLibrary* library, const void* image, int* options, void** values, unsigned n, int*,
         void**, unsigned) {
  try {
    ptx::Program program = ptx::parse(static_cast<const char*>(image));
    const std::lock_guard lock(machine->loading);
    machine->loaded.push_back(std::move(program));
    *library = reinterpret_cast<jit::CuLibrary>(&machine->loaded.back());
    return 0;
  } catch (const std::exception& e) {
    for (unsigned i = 0; i < n; ++i) {
      if (options[i] == jit::cu::kJitErrorLog)
        std::strncpy(static_cast<char*>(values[i]), e.what(), 4000);
    }
    constexpr int kInvalidPtx = 218;
    return kInvalidPtx;
  }
}

int launch(const jit::CuLaunchConfig* config, jit::CuFunction function, void** parameters, void**) {
  const DeviceMemory::Open open(machine->memory);
  std::optional<ptx::Profiler> profiler;
  if (machine->config.profiles) profiler.emplace(program_of(function));
  const ptx::Launch now{.grid = {config->grid_x, config->grid_y, config->grid_z},
                        .threads = static_cast<int>(config->block_x),
                        .shared_bytes = config->shared_bytes,
                        .params = parameters[0],
                        .seed = machine->config.seed + static_cast<unsigned>(machine->launches++),
                        .profiler = profiler ? &*profiler : nullptr};
  try {
    ptx::run(program_of(function), now, *machine, machine->counts);
  } catch (const ptx::Fault& fault) {
    throw DeviceError(fault.what());
  }
  ++machine->launched[program_of(function).kernel];
  if (profiler) machine->profiles.push_back({now.threads, profiler->profile()});
  return 0;
}

void use_memory(jit::CudaApi& a) {
  a.allocate = [](jit::CuAddress* p, std::size_t bytes, jit::CuStream) {
    void* const memory = machine->memory.allocate(bytes);
    *p = reinterpret_cast<jit::CuAddress>(memory);
    return memory == nullptr ? jit::cu::kOutOfMemory : 0;
  };
  a.release = [](jit::CuAddress p, jit::CuStream) {
    machine->memory.release(reinterpret_cast<void*>(p));
    return 0;
  };
  a.copy_in = [](jit::CuAddress to, const void* from, std::size_t bytes, jit::CuStream) {
    const DeviceMemory::Open open(machine->memory);
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return 0;
  };
  a.copy_out = [](void* to, jit::CuAddress from, std::size_t bytes, jit::CuStream) {
    const DeviceMemory::Open open(machine->memory);
    std::memcpy(to, reinterpret_cast<void*>(from), bytes);
    return 0;
  };
  a.set_bytes = [](jit::CuAddress to, unsigned char value, std::size_t n, jit::CuStream) {
    const DeviceMemory::Open open(machine->memory);
    std::memset(reinterpret_cast<void*>(to), value, n);
    return 0;
  };
}

jit::CudaApi make_api() {
  jit::CudaApi a = RecordingDriver::api();
  static const jit::CudaApi recorded = a;
  a.device_attribute = [](int* value, int attribute, int device) {
    if (attribute == jit::cu::kDeviceMajor) return *value = machine->config.arch / 10, 0;
    if (attribute == jit::cu::kDeviceMinor) return *value = machine->config.arch % 10, 0;
    return recorded.device_attribute(value, attribute, device);
  };
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
    *bytes = program_of(kernel).params_bytes;
    return 0;
  };
  a.function_attribute = [](int* value, int attribute, jit::CuFunction function) {
    const ptx::Program& p = program_of(function);
    *value = attribute == jit::cu::kFunctionMaxThreads ? p.max_threads
                                                       : static_cast<int>(p.shared_bytes);
    return 0;
  };
  a.launch = launch;
  use_memory(a);
  return a;
}

}  // namespace

struct PtxGpu::State {
  Machine here;
  RecordingDriver driver;
  jit::CudaApi api = make_api();
  DevicePtr device;
};

PtxGpu::PtxGpu(Config config) : state_(std::make_unique<State>()) {
  machine = &state_->here;
  state_->here.config = config;
  std::string why;
  const auto real = jit::open_nvrtc(jit::Options::from_environment().nvrtc, why);
  if (!real) throw DeviceError(why);
  setenv("EFLOW_PTX_NVRTC", real->path.c_str(), 1);
  state_->device = make_device(options());
}

PtxGpu::~PtxGpu() {
  state_->device.reset();
  machine = nullptr;
}

jit::Options PtxGpu::options() const {
  jit::Options options;
  options.device = "cuda";
  options.cuda = &state_->api;
  options.nvrtc = EFLOW_NVRTC_TO_PTX;
  options.cublas_library = "off";
  return options;
}
DevicePtr PtxGpu::device() const {
  return state_->device;
}
long long PtxGpu::launches() const {
  return state_->here.launches;
}
const ptx::Counts& PtxGpu::counts() const {
  return state_->here.counts;
}
const std::map<std::string, long long>& PtxGpu::launched() const {
  return state_->here.launched;
}
const std::vector<PtxGpu::Profiled>& PtxGpu::profiles() const {
  return state_->here.profiles;
}
long long PtxGpu::kernels() const {
  return static_cast<long long>(state_->here.loaded.size());
}

}  // namespace eflow::test

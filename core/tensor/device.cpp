#include "eflow/core/tensor/device.hpp"

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/caching_allocator.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/core/tensor/trace.hpp"
#include "eflow/jit/cuda/driver.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/kernels_src/args/gemm.h"

namespace eflow {
namespace {

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const jit::Options& options)
      : runtime_(options),
        allocator_([](std::size_t bytes) { return std::aligned_alloc(64, bytes); },
                   [](void* p) { std::free(p); }, [this] { return ": " + plan().text(); }) {
    define_kernels(runtime_.builder().definitions());
  }

  std::string name() const override { return "cpu"; }
  jit::Runtime& runtime() override { return runtime_; }

  void* allocate(std::size_t bytes, Stream) override {
    void* const memory = allocator_.allocate(bytes);
    if (checks()) runtime_.allow_memory(memory, bytes);
    return memory;
  }
  void release(void* memory, std::size_t bytes, Stream) noexcept override {
    if (checks()) runtime_.forget_memory(memory, bytes);
    allocator_.release(memory, bytes);
  }
  MemoryStats memory() const override { return allocator_.stats(); }
  void reset_peak() override { allocator_.reset_peak(); }
  void trim() override { allocator_.trim(); }

  void copy_in(void* device, const void* host, std::size_t bytes, Stream) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void copy_out(void* host, const void* device, std::size_t bytes, Stream) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }
  void fill_zero(void* device, std::size_t bytes, Stream) override {
    std::memset(device, 0, bytes);
  }
  void synchronize(Stream) override {}
  void launch_bytes(std::string_view name, const jit::KernelSpec& spec, jit::Grid grid,
                    const void* args, std::size_t bytes, Stream stream,
                    const jit::ArgumentTypes& types) override {
    runtime_.launch_bytes(name, spec, grid, args, bytes, stream, types);
  }

 private:
  [[nodiscard]] bool checks() const {
    return runtime_.options().check || runtime_.options().emulate;
  }

  jit::Runtime runtime_;
  CachingAllocator allocator_;
};

struct Default {
  std::mutex mutex;
  DevicePtr device;
};

Default& the_default() {
  static Default value;
  return value;
}

}  // namespace

void* Device::begin_upload(const void* host, std::size_t bytes) {
  void* const memory = allocate(bytes, {});
  try {
    copy_in(memory, host, bytes, {});
  } catch (...) {
    release(memory, bytes, {});
    throw;
  }
  return memory;
}

void Device::release_upload(void* memory, std::size_t bytes) noexcept {
  release(memory, bytes, {});
}

bool Device::multiply(const args::Gemm& g, DType in, DType out, Stream stream) {
  if (!trace_) return multiply_by_library(g, in, out, stream);
  synchronize(stream);
  const double begin = trace_->now();
  if (!multiply_by_library(g, in, out, stream)) return false;
  synchronize(stream);
  trace_->kernel(
      str("library product ", g.m, " x ", g.n, " x ", g.k, ", batch ", g.batch[0] * g.batch[1]),
      begin);
  return true;
}

void Device::launch_traced(std::string_view name, const jit::KernelSpec& spec, jit::Grid grid,
                           const void* args, std::size_t bytes, Stream stream,
                           const jit::ArgumentTypes& types) {
  synchronize(stream);
  const double begin = trace_->now();
  launch_bytes(name, spec, grid, args, bytes, stream, types);
  synchronize(stream);
  trace_->kernel(to_string(spec, name), begin);
}

DevicePtr make_cpu_device(const jit::Options& options) {
  return std::make_shared<CpuDevice>(options);
}

DevicePtr make_device(const jit::Options& options) {
  jit::Options resolved = options;
  resolved.device = jit::resolve_device(options.device, options.cuda, options.cuda_library);
  return resolved.device == "cpu" ? make_cpu_device(resolved) : make_cuda_device(resolved);
}

const DevicePtr& default_device() {
  Default& d = the_default();
  const std::lock_guard lock(d.mutex);
  if (!d.device) d.device = make_device(jit::Options::from_environment());
  return d.device;
}

void set_default_device(DevicePtr device) {
  Default& d = the_default();
  const std::lock_guard lock(d.mutex);
  d.device = std::move(device);
}

}  // namespace eflow

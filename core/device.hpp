#pragma once
// Device: where tensors live and kernels run. It owns a jit::Runtime and a caching allocator. All work is issued to a
// Stream, Stream{} being the device's own; on the CPU a stream runs inline in the caller, on a GPU it is asynchronous. Code
// above core names no kind of device.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "eflow/core/memory_plan.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow {

namespace args {
struct Gemm;
}

using jit::Stream;
class Trace;

/// Bytes handed out by a device's allocator.
struct MemoryStats {
  std::size_t in_use = 0;       ///< now held by tensors
  std::size_t peak_in_use = 0;  ///< largest in_use since the last reset_peak()
  std::size_t reserved = 0;     ///< taken from the system, in use or cached
};

class Device {
 public:
  virtual ~Device() = default;

  /// "cpu", "cuda:0".
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual jit::Runtime& runtime() = 0;

  /// At least `bytes` bytes, 64-byte aligned, usable in stream order. Throws DeviceError with a memory report when
  /// there are none. Freed memory is kept for the next request of its size class.
  [[nodiscard]] virtual void* allocate(std::size_t bytes, Stream stream) = 0;
  virtual void release(void* memory, std::size_t bytes, Stream stream) noexcept = 0;
  [[nodiscard]] virtual MemoryStats memory() const = 0;
  virtual void reset_peak() = 0;
  /// Gives cached memory back to the system.
  virtual void trim() = 0;

  /// Copies between host memory and this device's. What copy_in reads is the caller's again when it returns; what copy_out
  /// writes is there once synchronize() returned.
  virtual void copy_in(void* device, const void* host, std::size_t bytes, Stream stream) = 0;
  virtual void copy_out(void* host, const void* device, std::size_t bytes, Stream stream) = 0;
  virtual void fill_zero(void* device, std::size_t bytes, Stream stream) = 0;
  /// Returns when all work issued to the stream is done; reports what failed in it. Throws DeviceError.
  virtual void synchronize(Stream stream) = 0;

  /// Whether its memory is the host's.
  [[nodiscard]] virtual bool on_host() const { return true; }

  /// From here on each kernel is waited for and written down; nullptr: no more.
  void set_trace(std::shared_ptr<Trace> trace) { trace_ = std::move(trace); }
  [[nodiscard]] Trace* trace() const { return trace_.get(); }

  /// What the tensors on it are for.
  [[nodiscard]] MemoryPlan& plan() { return plan_; }

  /// A matrix product by a library that the device has for them; false, with nothing issued, where there is none for this
  /// one. in: dtype of A, B and bias, out: of the rest.
  [[nodiscard]] bool multiply(const args::Gemm& g, DType in, DType out, Stream stream = {});

  /// From begin_gathering() to end_gathering() a GPU may gather what is issued to Stream{} and run it as graphs, whenever the
  /// host needs a result and at the end; one thread at a time then. Work is done in the same order either way, and nothing
  /// happens where Options::graphs is off. See GatheredWork.
  virtual void begin_gathering() {}
  virtual void end_gathering() {}
  /// After a failure: what was gathered is dropped.
  virtual void abandon_gathering() noexcept {}

  /// Issues one kernel launch to the stream. On a GPU the first launch of a Spec compiles it, or finds it in a cache. Throws
  /// CompileError when the Spec has no compiled form.
  template <class Args>
  void launch(std::string_view name, const jit::Spec& spec, jit::Grid grid, const Args& args,
              Stream stream = {}) {
    static_assert(std::is_trivially_copyable_v<Args>, "kernel arguments are plain data");
    if (trace_) return launch_traced(name, spec, grid, &args, sizeof(Args), stream);
    launch_bytes(name, spec, grid, &args, sizeof(Args), stream);
  }

 protected:
  virtual void launch_bytes(std::string_view name, const jit::Spec& spec, jit::Grid grid,
                            const void* args, std::size_t bytes, Stream stream) = 0;
  [[nodiscard]] virtual bool multiply_by_library(const args::Gemm& /*g*/, DType /*in*/,
                                                 DType /*out*/, Stream /*stream*/) {
    return false;
  }

 private:
  void launch_traced(std::string_view name, const jit::Spec& spec, jit::Grid grid,
                     const void* args, std::size_t bytes, Stream stream);

  MemoryPlan plan_;
  std::shared_ptr<Trace> trace_;
};

using DevicePtr = std::shared_ptr<Device>;

/// Gathers a device's work while it lives.
class GatheredWork {
 public:
  explicit GatheredWork(DevicePtr device) : device_(std::move(device)) { device_->begin_gathering(); }
  /// Left by an exception, without finish(), what was gathered since the last wait is dropped.
  ~GatheredWork() {
    if (device_) device_->abandon_gathering();
  }
  GatheredWork(const GatheredWork&) = delete;
  GatheredWork& operator=(const GatheredWork&) = delete;

  /// Issues what is left. Throws DeviceError.
  void finish() { std::exchange(device_, nullptr)->end_gathering(); }

 private:
  DevicePtr device_;
};

/// A new CPU device with its own thread pool and allocator. Throws InvalidArgument for options this CPU cannot serve.
[[nodiscard]] DevicePtr make_cpu_device(const jit::Options& options);

/// A GPU by options.device, "cuda:0": its primary context, memory in stream order, kernels compiled when they are first
/// launched. Throws DeviceError where there is none. Not run on a GPU yet.
[[nodiscard]] DevicePtr make_cuda_device(const jit::Options& options);

/// The device that options.device names, see jit::resolve_device. Throws InvalidArgument, DeviceError.
[[nodiscard]] DevicePtr make_device(const jit::Options& options);

/// The device of tensors made without naming one: by Options::from_environment() (EFLOW_DEVICE; the CPU), made on first use.
/// The library's one default context; nothing else in it is global but the log sink.
[[nodiscard]] const DevicePtr& default_device();
/// Replaces it. Not to be called while another thread makes tensors.
void set_default_device(DevicePtr device);

}  // namespace eflow

#pragma once
// Device: where tensors live and kernels run. It owns a jit::Runtime and a caching allocator. All
// work is issued to a Stream; Stream{} is the device's own. On the CPU, work runs synchronously in
// the calling thread; on a GPU it is asynchronous. Code above core does not depend on the kind of
// device.

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/device_ptr.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/jit/arguments/argument_types.hpp"
#include "eflow/jit/kernel/grid.hpp"
#include "eflow/jit/kernel/spec.hpp"
#include "eflow/jit/kernel/stream.hpp"
#include "eflow/jit/options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

namespace args {
struct Gemm;
}
namespace jit {
class Runtime;
}  // namespace jit

using jit::Stream;
class Trace;

/// Byte counts of a device's allocator.
struct MemoryStats {
  std::size_t in_use = 0;       ///< currently allocated
  std::size_t peak_in_use = 0;  ///< maximum of in_use since the last reset_peak()
  std::size_t reserved = 0;     ///< obtained from the system, in use or cached
};

/// The work that one block of an element-wise or row-wise kernel takes: enough to outweigh the cost
/// of starting the block, little enough that every processor gets blocks. Defaults are a CPU's.
struct BlockShape {
  std::int64_t elements = 16384;
  std::int64_t least_rows = 1;  ///< a GPU's block has several warps, each of which takes a row
  std::int64_t sum_parts = 16;  ///< parts into which a long sum over columns is split
  /// Whether copies that change the order of dimensions go by tiles instead of rows.
  bool tiles_copies = false;
  /// Largest extent of a grid along y and z. Longer ranges are launched in slices.
  std::int64_t most_yz = std::numeric_limits<std::int64_t>::max();
};

/// A CPU or GPU. Owned by shared_ptr; tensors keep it alive. Threads: all members may be called
/// concurrently, except the gathering members, set_trace, and work while a trace is set.
class Device {
 public:
  virtual ~Device() = default;

  /// Returns "cpu" or "cuda:N".
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual jit::Runtime& runtime() = 0;

  /// Allocates at least `bytes` bytes, 64-byte aligned, for work on `stream`. Throws DeviceError
  /// with a memory report if the device is out of memory.
  [[nodiscard]] virtual void* allocate(std::size_t bytes, Stream stream) = 0;
  /// Returns memory from allocate() with the same `bytes` and `stream`. It is cached for requests
  /// of its size class.
  virtual void release(void* memory, std::size_t bytes, Stream stream) noexcept = 0;
  [[nodiscard]] virtual MemoryStats memory() const = 0;
  /// Sets peak_in_use to in_use.
  virtual void reset_peak() = 0;
  /// Returns cached memory to the system.
  virtual void trim() = 0;

  /// Copies between host memory and device memory, in stream order. The caller may reuse the source
  /// of copy_in when it returns; copy_out's destination is valid after synchronize(). Both throw
  /// DeviceError.
  virtual void copy_in(void* device, const void* host, std::size_t bytes, Stream stream) = 0;
  virtual void copy_out(void* host, const void* device, std::size_t bytes, Stream stream) = 0;
  /// Sets `bytes` bytes to 0, in stream order.
  virtual void fill_zero(void* device, std::size_t bytes, Stream stream) = 0;
  /// Waits until all work issued to the stream is done. Throws DeviceError if any of it failed.
  virtual void synchronize(Stream stream) = 0;

  /// Returns how element-wise and row-wise work is divided into blocks on this device.
  [[nodiscard]] virtual BlockShape block_shape() const { return {}; }
  /// The stream that Stream{} means, for other libraries to wait for; Stream{} itself on the CPU.
  [[nodiscard]] virtual Stream stream() const { return {}; }
  /// Whether the host can access the device's memory directly.
  [[nodiscard]] virtual bool on_host() const { return true; }

  /// Starts recording kernels in `trace`; each launch then waits for its kernel. nullptr stops.
  void set_trace(std::shared_ptr<Trace> trace) { trace_ = std::move(trace); }
  [[nodiscard]] Trace* trace() const { return trace_.get(); }

  /// Returns the record of what the device's memory is used for.
  [[nodiscard]] MemoryPlan& plan() { return plan_; }

  /// Issues a matrix product to the device's BLAS library. Returns false, with nothing issued, if
  /// there is no library or it does not support this product. in: dtype of A and B; out: dtype of
  /// C, bias, aux and residual. Throws DeviceError.
  [[nodiscard]] bool multiply(const args::Gemm& g, DType in, DType out, Stream stream = {});

  /// Between begin_gathering() and end_gathering() a GPU may capture the work issued to Stream{}
  /// and run it as CUDA graphs: when the host needs a result, and at the end. The order of work is
  /// unchanged. Does nothing if Options::graphs is off. Threads: only one may issue work meanwhile.
  /// Use GatheredWork.
  virtual void begin_gathering() {}
  virtual void end_gathering() {}
  /// Issues the work gathered so far; later work is gathered again. Must precede work that another
  /// library issues in the order of Stream{}. Throws DeviceError.
  virtual void issue_gathered() {}
  /// After a failure: discards the gathered work.
  virtual void abandon_gathering() noexcept {}

  /// Issues a kernel launch to the stream; `name` is the kernel's name in its
  /// definition. On a GPU the first launch of a KernelSpec loads it from a cache or compiles it. Throws
  /// CompileError if the KernelSpec has no compiled form, InvalidArgument if the arguments have other
  /// types than the kernel's, DeviceError if the launch fails.
  template <class Args>
  void launch(std::string_view name, const jit::KernelSpec& spec, jit::Grid grid, const Args& args,
              Stream stream = {}) {
    static_assert(std::is_trivially_copyable_v<Args>, "kernel arguments are plain data");
    constexpr const jit::ArgumentTypes& types = jit::kArgumentTypes<Args>;
    if (trace_) return launch_traced(name, spec, grid, &args, sizeof(Args), stream, types);
    launch_bytes(name, spec, grid, &args, sizeof(Args), stream, types);
  }

 protected:
  virtual void launch_bytes(std::string_view name, const jit::KernelSpec& spec, jit::Grid grid,
                            const void* args, std::size_t bytes, Stream stream,
                            const jit::ArgumentTypes& types) = 0;
  [[nodiscard]] virtual bool multiply_by_library(const args::Gemm& /*g*/, DType /*in*/,
                                                 DType /*out*/, Stream /*stream*/) {
    return false;
  }

 private:
  void launch_traced(std::string_view name, const jit::KernelSpec& spec, jit::Grid grid,
                     const void* args, std::size_t bytes, Stream stream,
                     const jit::ArgumentTypes& types);

  MemoryPlan plan_;
  std::shared_ptr<Trace> trace_;
};

/// Gathers a device's work during its lifetime (see Device::begin_gathering). Call finish() at the
/// end.
class GatheredWork {
 public:
  explicit GatheredWork(DevicePtr device) : device_(std::move(device)) {
    device_->begin_gathering();
  }
  /// If finish() was not called (an exception unwinds), discards the work gathered since the last
  /// wait.
  ~GatheredWork() {
    if (device_) device_->abandon_gathering();
  }
  GatheredWork(const GatheredWork&) = delete;
  GatheredWork& operator=(const GatheredWork&) = delete;

  /// Issues the remaining work and stops gathering. Throws DeviceError.
  void finish() { std::exchange(device_, nullptr)->end_gathering(); }

 private:
  DevicePtr device_;
};

/// Creates a CPU device with its own thread pool and allocator. Throws InvalidArgument if this CPU
/// does not support the options.
[[nodiscard]] DevicePtr make_cpu_device(const jit::Options& options);

/// Creates a device for the GPU that options.device names ("cuda:0"). Uses its primary context and
/// stream-ordered memory; kernels are compiled on first launch. Throws DeviceError if there is no
/// such GPU.
[[nodiscard]] DevicePtr make_cuda_device(const jit::Options& options);

/// Creates the device that options.device names (see jit::resolve_device). Throws InvalidArgument,
/// DeviceError.
[[nodiscard]] DevicePtr make_device(const jit::Options& options);

/// Returns the device on which tensors are created by default. Created on first use from
/// Options::from_environment() (EFLOW_DEVICE, otherwise the CPU). With the log sink, the library's
/// only global state.
[[nodiscard]] const DevicePtr& default_device();
/// Replaces the default device. Must not be called while another thread creates tensors.
void set_default_device(DevicePtr device);

}  // namespace eflow

EFLOW_EXPORT_END

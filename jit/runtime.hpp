#pragma once
// Runtime: compiles, caches and launches kernels. A Runtime owns its caches, thread pool and GPU
// context and uses no globals, so a process may have several.
//
//   jit::Runtime runtime(jit::Options::from_environment());
//   const KernelSpec exp("elementwise", {kF32, kF32}, {kExp});
//   runtime.launch("elementwise", exp, {.x = blocks}, args);      // built in
//
//   runtime.add_text("acme/scale.h", text);                       // a user's kernel
//   runtime.define({"scale", "acme/scale.h", "scale<$t0>"});
//   const KernelSpec scale("scale", {kF32});
//   runtime.prepare({{"scale", scale}});                          // compiled, or found in a cache
//   runtime.launch("scale", scale, {.x = blocks}, args);
//
// Options::device selects the device. On a GPU ("cuda:0") every kernel must be prepared, built-in
// ones included, and launches are queued on a Stream. prepare() may compile, load modules, allocate
// and block; launch() does none of these.
//
// Threads: all members may be called concurrently, except that set_events comes first.

#include <functional>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/arguments/argument_types.hpp"
#include "eflow/jit/kernel/build_report.hpp"
#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/kernel/grid.hpp"
#include "eflow/jit/kernel/shape_bucket.hpp"
#include "eflow/jit/kernel/stream.hpp"
#include "eflow/jit/kernel/target.hpp"
#include "eflow/jit/options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

class CudaContext;
struct CudaKernel;
class ThreadPool;
class KernelBuilder;

/// Thrown by launch() for a kernel that is neither built in nor prepared.
struct NeedsPrepare : CompileError {
  using CompileError::CompileError;
};

/// The outcome of prepare() for one kernel.
struct Prepared {
  KernelRef kernel = {};
  Origin origin = Origin::kBuiltin;
  double seconds = 0;        ///< time until the kernel could be launched
  Resources resources = {};  ///< on a GPU, unless the kernel was already in memory
  std::string error = "";    ///< why the kernel cannot be launched; empty on success
  [[nodiscard]] bool ok() const { return error.empty(); }
};

class Runtime {
 public:
  /// Throws InvalidArgument if `options.isa` is an instruction set that this CPU lacks, and
  /// DeviceError if the GPU that `options.device` names is unavailable. A missing compiler or cache
  /// directory is not an error until it is needed.
  explicit Runtime(const Options& options = {});
  ~Runtime();

  /// Returns whether launch() would find a compiled kernel for `spec`.
  [[nodiscard]] bool has(const KernelSpec& spec) const;

  /// Runs the kernel `name` on every block of the grid. On the CPU it returns when all blocks are
  /// done; on a GPU it enqueues the launch on `stream`. Throws NeedsPrepare if no compiled form
  /// exists (also during stream capture, which remains valid), InvalidArgument if the fields
  /// of Args have other types than those of the kernel's struct (jit/arguments/argument_types.hpp) or it has
  /// another size, and DeviceError if the driver reports an error.
  template <class Args>
  void launch(std::string_view name, const KernelSpec& spec, Grid grid, const Args& args,
              Stream stream = {}) const {
    static_assert(std::is_trivially_copyable_v<Args>,
                  "kernel arguments must be trivially copyable");
    launch_bytes(name, spec, grid, &args, sizeof(Args), stream, kArgumentTypes<Args>);
  }
  /// Launches with type-erased arguments: `args` points to `bytes` bytes of plain data. `types` are
  /// compared with those of the kernel if they are known.
  void launch_bytes(std::string_view name, const KernelSpec& spec, Grid grid, const void* args,
                    std::size_t bytes, Stream stream,
                    const ArgumentTypes& types = kUnknownArguments) const;
  /// The kernel that launch_bytes() would launch on a GPU, valid as long as the Runtime; nullptr if
  /// it is not prepared. Checks the arguments as launch_bytes() does.
  [[nodiscard]] const CudaKernel* find_cuda(std::string_view name, const KernelSpec& spec,
                                            std::size_t bytes,
                                            const ArgumentTypes& types = kUnknownArguments) const;
  /// The types of the arguments of a kernel that launch() would find; otherwise unknown.
  [[nodiscard]] ArgumentTypes argument_types(const KernelSpec& spec) const;
  /// Makes Stream{} mean this stream, from the next call on. Not owned; not to be called while others
  /// launch.
  void set_own_stream(Stream stream);
  /// Waits for all work queued on the stream. Throws DeviceError if any of it failed.
  void synchronize(Stream stream = {}) const;

  /// Adds a user's kernel text, which may include the library's ("eflow/kernels_src/tile/pack.h").
  /// See KernelTexts::add.
  void add_text(std::string path, std::string text);
  /// Adds a kernel definition. See KernelDefinitions::add. Throws InvalidArgument if a built-in
  /// kernel of another text has this name.
  void define(const KernelDefinition& definition);

  /// Makes all kernels launchable, compiling in parallel. Returns one result per kernel, in order;
  /// a kernel that fails is reported in its result, not thrown. `stop` cancels running compiles.
  std::vector<Prepared> prepare(const std::vector<KernelRef>& kernels, std::stop_token stop = {});

  /// Prepares one kernel for a caller that has a fallback. Returns false on failure and logs one
  /// warning per kernel name, with the reason and the fallback, `instead`.
  [[nodiscard]] bool prepare_or_warn(const KernelRef& kernel, std::string_view instead);

  /// Returns `spec` with its tunables set to the values tuned for this shape on this device, and
  /// prepares that kernel. Returns `spec` unchanged if nothing usable was tuned or EFLOW_TUNE=off.
  /// The answer is cached per KernelSpec and shape; a repeated call takes about ten nanoseconds.
  [[nodiscard]] KernelSpec tuned(std::string_view name, const KernelSpec& spec, ShapeBucket shape);

  /// While set, prepares that are started from the thread that called this poll `stop` there; true
  /// cancels their compiles, and those that follow fail at once. An application that is asked to
  /// end need not wait for a compiler. Not to be called while another thread prepares.
  void cancel_compiles_if(std::function<bool()> stop);

  /// For checked texts (Options::check): names memory that texts may touch. From the first such call
  /// on, a launch may touch no other memory but its tiles, its stack and its arguments.
  void allow_memory(const void* p, std::size_t bytes);
  void forget_memory(const void* p, std::size_t bytes) noexcept;

  /// Must be called before the first prepare().
  void set_events(Events events);
  [[nodiscard]] Stats stats() const;

  /// The builder behind prepare(), which can also build for other targets. Owned by the Runtime.
  [[nodiscard]] KernelBuilder& builder() const;
  [[nodiscard]] ThreadPool& pool() const;
  [[nodiscard]] Isa isa() const;
  /// The target that prepare() builds for.
  [[nodiscard]] Target target() const;
  /// The context of the GPU, to which streams and memory passed to launches must belong; null on
  /// the CPU.
  [[nodiscard]] std::shared_ptr<const CudaContext> cuda_context() const;
  /// The limits that a config must fit into; they also identify the device in the tuning database.
  [[nodiscard]] const DeviceLimits& limits() const;
  [[nodiscard]] const Options& options() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

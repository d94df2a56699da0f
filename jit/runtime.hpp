#pragma once
// Runtime: finds the compiled form of a Spec and launches it. No globals: several may live side by side.
//
//   jit::Runtime runtime(jit::Options::from_environment());
//   runtime.launch("elementwise", Spec("elementwise", {kF32, kF32}, {kExp}), {.x = blocks}, args);   // built in
//
//   runtime.add_text("acme/scale.h", text);                       // a kernel of one's own
//   runtime.define({"scale", "acme/scale.h", "scale<$t0>"});
//   runtime.prepare({{"scale", spec}});                           // compiles, or finds it in a cache
//   runtime.launch("scale", spec, {.x = blocks}, args);
//
// Options name the device. On a GPU ("cuda:0") every kernel is prepared, built-in texts too, and launches go to a Stream.
// prepare() may compile, load, allocate and block; launch() does none of it. Threads: all members may be called at once.

#include <memory>
#include <stop_token>
#include <type_traits>
#include <vector>

#include "eflow/base/error.hpp"
#include "eflow/jit/build_report.hpp"
#include "eflow/jit/builtin_entry.hpp"
#include "eflow/jit/compiler.hpp"
#include "eflow/jit/grid.hpp"
#include "eflow/jit/kernel_definitions.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/jit/shape_bucket.hpp"
#include "eflow/jit/stream.hpp"
#include "eflow/jit/thread_pool.hpp"

namespace eflow::jit {

class CudaContext;
class KernelBuilder;

/// A launch of a kernel that is neither built in nor prepared.
struct NeedsPrepare : CompileError {
  using CompileError::CompileError;
};

/// What prepare() did about one kernel.
struct Prepared {
  KernelRef kernel;
  Origin origin = Origin::kBuiltin;
  double seconds = 0;   ///< until it could be launched
  Resources resources;  ///< on a GPU, when it was not in memory already
  std::string error;    ///< why it cannot; empty when it can
  [[nodiscard]] bool ok() const { return error.empty(); }
};

class Runtime {
 public:
  /// Throws InvalidArgument when an instruction set is asked for that this CPU does not have, DeviceError when a GPU is that
  /// is not there. A missing compiler or cache directory is no error: it shows when something needs it.
  explicit Runtime(const Options& options = {});
  ~Runtime();

  /// Whether launch(spec) would run.
  [[nodiscard]] bool has(const Spec& spec) const;

  /// Runs every block of the grid: on the CPU before it returns, on a GPU in the order of the stream. `name` is the
  /// kernel's. Throws NeedsPrepare when there is no compiled form, also while the stream is captured, which stays sound;
  /// InvalidArgument when the kernel takes arguments of another size; DeviceError for what a GPU's driver reports.
  template <class Args>
  void launch(std::string_view name, const Spec& spec, Grid grid, const Args& args,
              Stream stream = {}) const {
    static_assert(std::is_trivially_copyable_v<Args>, "kernel arguments are plain data");
    launch_bytes(name, spec, grid, &args, sizeof(Args), stream);
  }
  /// The same for arguments whose type the caller does not know: `bytes` bytes of plain data.
  void launch_bytes(std::string_view name, const Spec& spec, Grid grid, const void* args,
                    std::size_t bytes, Stream stream) const;
  /// Returns when all that was launched on the stream is done. Throws DeviceError with what failed in it.
  void synchronize(Stream stream = {}) const;

  /// A kernel text of the user's, which may include ours ("tile/pack.h"). See KernelTexts::add.
  void add_text(std::string path, std::string text);
  /// See KernelDefinitions::add.
  void define(const KernelDefinition& definition);

  /// Makes all of them launchable, compiling in parallel. One result for each, in order; nothing is thrown for a kernel
  /// that fails. `stop` ends running compiles.
  std::vector<Prepared> prepare(const std::vector<KernelRef>& kernels, std::stop_token stop = {});

  /// As prepare() of one, for callers that have another way: false when it cannot be had, and why, once a kernel's name, as
  /// a warning that says what is done `instead`.
  [[nodiscard]] bool prepare_or_warn(const KernelRef& kernel, std::string_view instead);

  /// `spec` with its tunables as they were tuned for launches of this shape on this device (EFLOW_TUNE=off, nothing tuned or
  /// anything wrong with it: as they are). Prepares what it returns, once a spec and shape; later calls take some ten
  /// nanoseconds.
  [[nodiscard]] Spec tuned(std::string_view name, const Spec& spec, ShapeBucket shape);

  /// To be called before the first prepare().
  void set_events(Events events);
  [[nodiscard]] Stats stats() const;

  /// What builds for other targets too.
  [[nodiscard]] KernelBuilder& builder() const;
  [[nodiscard]] ThreadPool& pool() const;
  [[nodiscard]] Isa isa() const;
  /// What prepare() builds for.
  [[nodiscard]] Target target() const;
  /// The GPU's, to which streams and memory given to launches belong; null on the CPU.
  [[nodiscard]] std::shared_ptr<const CudaContext> cuda_context() const;
  /// What a config has to fit into, and whose times the tuning database keeps.
  [[nodiscard]] const DeviceLimits& limits() const;
  [[nodiscard]] const Options& options() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::jit

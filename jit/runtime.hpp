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
// prepare() may compile, load, allocate and block; launch() does none of it. Threads: all members may be called at once.

#include <memory>
#include <stop_token>
#include <type_traits>
#include <vector>

#include "eflow/base/error.hpp"
#include "eflow/jit/build_report.hpp"
#include "eflow/jit/builtin_entry.hpp"
#include "eflow/jit/kernel_definitions.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/jit/thread_pool.hpp"

namespace eflow::jit {

class KernelBuilder;

/// Blocks of a launch, in each direction.
struct Grid {
  std::int64_t x = 1, y = 1, z = 1;
};

/// A launch of a kernel that is neither built in nor prepared.
struct NeedsPrepare : CompileError {
  using CompileError::CompileError;
};

/// What prepare() did about one kernel.
struct Prepared {
  KernelRef kernel;
  Origin origin = Origin::kBuiltin;
  double seconds = 0;  ///< until it could be launched
  std::string error;   ///< why it cannot; empty when it can
  [[nodiscard]] bool ok() const { return error.empty(); }
};

class Runtime {
 public:
  /// Throws InvalidArgument when an instruction set is asked for that this CPU does not have. A missing compiler, GPU or
  /// cache directory is no error: it shows when something needs it.
  explicit Runtime(const Options& options = {});
  ~Runtime();

  /// Whether launch(spec) would run.
  [[nodiscard]] bool has(const Spec& spec) const;

  /// Runs every block of the grid and returns when all are done. `name` is the kernel's. Throws NeedsPrepare when there
  /// is no compiled form; InvalidArgument when the kernel takes arguments of another size.
  template <class Args>
  void launch(std::string_view name, const Spec& spec, Grid grid, const Args& args) const {
    static_assert(std::is_trivially_copyable_v<Args>, "kernel arguments are plain data");
    run(name, spec, grid, &args, sizeof(Args));
  }

  /// A kernel text of the user's, which may include ours ("tile/pack.h"). See KernelTexts::add.
  void add_text(std::string path, std::string text);
  /// See KernelDefinitions::add.
  void define(const KernelDefinition& definition);

  /// Makes all of them launchable, compiling in parallel. One result for each, in order; nothing is thrown for a kernel
  /// that fails. `stop` ends running compiles.
  std::vector<Prepared> prepare(const std::vector<KernelRef>& kernels, std::stop_token stop = {});

  /// To be called before the first prepare().
  void set_events(Events events);
  [[nodiscard]] Stats stats() const;

  /// What builds for other targets too.
  [[nodiscard]] KernelBuilder& builder() const;
  [[nodiscard]] ThreadPool& pool() const;
  [[nodiscard]] Isa isa() const;

 private:
  void run(std::string_view name, const Spec& spec, Grid grid, const void* args,
           std::size_t bytes) const;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::jit

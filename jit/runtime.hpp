#pragma once
// Runtime: finds the compiled form of a Spec and launches it. No globals: several may live side by side.
//
//   jit::Runtime runtime(jit::Options::from_environment());
//   runtime.launch(Spec("elementwise", {kF32, kF32}, {kExp}), {.x = blocks}, args);
//
// launch() never compiles. Threads: all members may be called at once.

#include <memory>
#include <optional>
#include <type_traits>

#include "eflow/jit/builtin_entry.hpp"
#include "eflow/jit/isa.hpp"
#include "eflow/jit/thread_pool.hpp"

namespace eflow::jit {

struct Options {
  std::optional<Isa> isa;  ///< the best to use on the CPU; default: the best this CPU has
  int threads = 0;         ///< of the CPU pool; 0 = all that the process may use

  /// EFLOW_ISA (baseline | avx2 | avx512 | avx512_bf16) and EFLOW_THREADS. The only place where jit reads the
  /// environment. Throws InvalidArgument naming variable, value and what is allowed.
  [[nodiscard]] static Options from_environment();
};

/// Blocks of a launch, in each direction.
struct Grid {
  std::int64_t x = 1, y = 1, z = 1;
};

class Runtime {
 public:
  /// Throws InvalidArgument when an instruction set is asked for that this CPU does not have.
  explicit Runtime(const Options& options = {});
  ~Runtime();

  /// Whether launch(spec) would run.
  [[nodiscard]] bool has(const Spec& spec) const;

  /// Runs every block of the grid and returns when all are done. `name` is the text's, for the message of the
  /// CompileError that says there is no compiled form of the Spec.
  template <class Args>
  void launch(std::string_view name, const Spec& spec, Grid grid, const Args& args) const {
    static_assert(std::is_trivially_copyable_v<Args>, "kernel arguments are plain data");
    run(name, spec, grid, &args);
  }

  [[nodiscard]] ThreadPool& pool() const;
  [[nodiscard]] Isa isa() const;

 private:
  void run(std::string_view name, const Spec& spec, Grid grid, const void* args) const;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::jit

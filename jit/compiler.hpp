#pragma once
// A compiler turns a BuildRequest, and nothing else, into bytes that can be loaded: a shared object for the CPU, a cubin
// for a GPU.

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "eflow/jit/build_request.hpp"

namespace eflow::jit {

/// What the assembler reports of a GPU kernel; all 0 for the CPU. Bytes a thread, shared: bytes a block.
struct Resources {
  int registers = 0;
  int spill_stores = 0, spill_loads = 0;
  int stack = 0;
  int shared = 0;
};

struct Compiled {
  std::string image;
  std::string log;  ///< warnings and resource report
  Resources resources;
  double seconds = 0;
};

struct CompileLimits {
  std::chrono::milliseconds timeout{120'000};
  std::stop_token stop;
};

/// Threads: compile() may run in several at once.
class Compiler {
 public:
  virtual ~Compiler() = default;
  /// Part of every request: "g++ 12.2.0 ...", "nvrtc 13.0.88 ...".
  [[nodiscard]] virtual const std::string& toolchain() const = 0;
  /// In their order; part of the request.
  [[nodiscard]] virtual std::vector<std::string> options(const Target& target) const = 0;
  /// Throws CompileError: names kernel, specialisation and target, and carries the compiler's log, whose positions are
  /// those of our texts; also when time is up or the caller stopped.
  [[nodiscard]] virtual Compiled compile(const BuildRequest& request,
                                         const CompileLimits& limits) const = 0;
};

/// A compiler, or why there is none and what to do about it.
struct FoundCompiler {
  std::shared_ptr<const Compiler> compiler;
  std::string why;
  explicit operator bool() const { return compiler != nullptr; }
};

}  // namespace eflow::jit

#pragma once
// Compiler: the interface of the back ends, which turn a BuildRequest into a loadable image: a
// shared object for the CPU or a cubin for a GPU. The request is the only input.

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/build_report.hpp"
#include "eflow/jit/kernel/build_request.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// The output of a compile.
struct Compiled {
  std::string image = "";
  std::string log = "";  ///< warnings and the assembler's report
  Resources resources = {};
  double seconds = 0;
  std::string warnings = "";  ///< what the compiler warns of, with file and line; part of the log
  std::string ptx = "";       ///< of a GPU kernel; not kept with the artifact
};

/// When to abandon a compile.
struct CompileLimits {
  std::chrono::milliseconds timeout{120'000};
  std::stop_token stop = {};
  std::function<bool()> cancelled = {};  ///< as `stop`, but polled, on the calling thread
  [[nodiscard]] bool stopped() const { return stop.stop_requested() || (cancelled && cancelled()); }
};

/// Threads: compile() may be called concurrently.
class Compiler {
 public:
  virtual ~Compiler() = default;
  /// Version and build, part of every request: "g++ 12.2.0 ...", "nvrtc 13.0.88 ...".
  [[nodiscard]] virtual const std::string& toolchain() const = 0;
  /// The compiler's options for a target, in order; part of the request.
  [[nodiscard]] virtual std::vector<std::string> options(const Target& target) const = 0;
  /// Throws CompileError if the compile fails, times out or is stopped. The message names kernel,
  /// specialisation and target and includes the compiler's log, whose positions refer to the kernel
  /// texts.
  [[nodiscard]] virtual Compiled compile(const BuildRequest& request,
                                         const CompileLimits& limits) const = 0;
};

/// A compiler, or null with the reason and a remedy in `why`.
struct FoundCompiler {
  std::shared_ptr<const Compiler> compiler = {};
  std::string why = "";
  explicit operator bool() const { return compiler != nullptr; }
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

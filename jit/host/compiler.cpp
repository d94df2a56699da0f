#include "eflow/jit/host/compiler.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/host/subprocess.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/jit/kernel/request_check.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxImageBytes = 256u << 20;
/// Bound on the log inside an error message; a dump contains all of it.
constexpr std::size_t kMaxLog = 16 * 1024;
/// Largest stack frame of a text, as kMostSumsBytes in kernels_src/tile/cpu/matrix_tile.h. Threads
/// have 8 MiB by default.
constexpr int kMaxFrameBytes = 2 << 20;

/// Keeps g++ from linking the sanitizers' libraries: kernels_src/tile/base/checked.h stands in for them.
constexpr std::string_view kNoLibraries = "-nodefaultlibs";

class HostCompiler final : public Compiler {
 public:
  HostCompiler(std::string path, std::string toolchain, HostCompilerOptions options)
      : path_(std::move(path)), toolchain_(std::move(toolchain)), options_(std::move(options)) {}

  const std::string& toolchain() const override { return toolchain_; }

  std::vector<std::string> options(const Target& target) const override {
    std::vector<std::string> out{"-std=gnu++20",        "-shared",   "-fPIC",
                                 "-fvisibility=hidden", "-nostdinc", "-nostdinc++",
                                 "-ffp-contract=fast",  "-Wall",     "-Wextra"};
    // A block's sums are on the stack; beyond it, a launch would end in a segmentation fault.
    out.push_back(str("-Wframe-larger-than=", kMaxFrameBytes));
    if (is_clang()) {
      // clang reports hints that it did not follow.
      out.insert(out.end(), {"-Werror=frame-larger-than", "-Wno-pass-failed"});
    } else {
      out.push_back(str("-Werror=frame-larger-than=", kMaxFrameBytes));
    }
    const bool emulated = target.arch == kEmulatedArch;
    const std::optional<Isa> isa = emulated ? Isa::kBaseline : isa_from_name(target.arch);
    if (!isa) throw InvalidArgument(str("[jit] unknown instruction set ", target.arch));
    for (std::string& flag : compile_flags(*isa)) out.push_back(std::move(flag));
    if (options_.check || emulated) add_checks(out);
    return out;
  }

  Compiled compile(const BuildRequest& request, const CompileLimits& limits) const override {
    check_command(request);
    const ScratchDirectory directory(options_.temporary);
    write_texts(request, directory.path());
    Process process{.argv = {path_},
                    .environment = {"PATH=" + options_.search_path, "LC_ALL=C",
                                    "TMPDIR=" + directory.path().string()},
                    .directory = directory.path(),
                    .timeout = limits.timeout,
                    .stop = limits.stop,
                    .cancelled = limits.cancelled};
    for (const std::string& option : request.options) {
      // The private directory's name is random, so the request cannot contain it.
      const bool sources = option.starts_with(kSourcesOption);
      process.argv.push_back(sources ? str("-fdebug-prefix-map=", directory.path().string(), "=",
                                           option.substr(kSourcesOption.size()))
                                     : option);
    }
    for (const char* last : {"-I.", "-o", "kernel.so", "kernel.cpp", "-lm"})
      process.argv.emplace_back(last);
    if (std::find(request.options.begin(), request.options.end(), kNoLibraries) !=
        request.options.end())
      process.argv.insert(process.argv.end(), {"-lc", "-lgcc"});
    const ProcessResult result = run_process(process);
    const fs::path image = directory.path() / "kernel.so";
    if (!result.ok() || !fs::exists(image)) fail(request, limits, result);
    return {.image = read_file(image, kMaxImageBytes),
            .log = result.output,
            .resources = {},
            .seconds = result.seconds,
            .warnings = result.output};
  }

 private:
  /// Options of a checked text: calls before each access and at undefined behaviour, and lines for a
  /// debugger.
  void add_checks(std::vector<std::string>& out) const {
    if (is_clang()) {
      throw InvalidArgument(
          str("[jit] EFLOW_CHECK=on and EFLOW_BACKEND=emulated need g++, and the host compiler is ",
              toolchain_, "; install g++ or set EFLOW_CXX"));
    }
    // The last -O counts.
    out.insert(out.end(),
               {"-O0", "-g", "-fsanitize=kernel-address",
                "--param=asan-instrumentation-with-call-threshold=0", "--param=asan-globals=0",
                "--param=asan-stack=0",
                "-fsanitize=bounds,shift,signed-integer-overflow,integer-divide-by-zero,null",
                "-fno-sanitize-recover=undefined", std::string(kNoLibraries), "-Wl,-Bsymbolic"});
    const fs::path& sources = options_.sources;
    out.push_back(str(kSourcesOption,
                      sources.empty() ? "." : fs::absolute(sources).lexically_normal().string()));
  }

  bool is_clang() const { return toolchain_.find("clang version") != std::string::npos; }

  static void write_texts(const BuildRequest& request, const fs::path& directory) {
    for (const TextFile& file : request.texts->files) {
      fs::create_directories((directory / file.path).parent_path());
      write_plainly(directory / file.path, file.text);
    }
    write_plainly(directory / "kernel.cpp", request.program);
  }

  /// Writes without fsync: the directory is removed after the compile.
  static void write_plainly(const fs::path& path, std::string_view text) {
    const FileDescriptor file(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!file.valid()) throw_errno("cannot write a kernel text", path.string());
    write_all(file, path, std::as_bytes(std::span(text)));
  }

  [[noreturn]] void fail(const BuildRequest& request, const CompileLimits& limits,
                         const ProcessResult& r) const {
    const std::string seconds = str(static_cast<double>(limits.timeout.count()) / 1000, " s");
    const std::string what = r.stopped     ? "was stopped while compiling"
                             : r.timed_out ? str("did not compile within ", seconds)
                                           : str("does not compile (exit code ", r.exit_code, ")");
    std::string log = r.output.substr(0, kMaxLog);
    if (log.size() < r.output.size())
      log += str("\n[", r.output.size() - log.size(), " more bytes omitted]\n");
    // g++: "the frame size of 3145728 bytes is larger than ...", clang: "stack frame size (...)".
    const bool frame = r.output.find("frame size") != std::string::npos;
    throw CompileError(str("[jit] ", request.title(), " ", what, " with ", toolchain_, ":\n", log,
                           frame
                               ? str("The sums of a text (Acc, RowVec, ColVec) are on the stack, ",
                                     "of which it may use ", kMaxFrameBytes,
                                     " B; use smaller tiles, or fewer sums at a time.\n")
                               : ""));
  }

  std::string path_, toolchain_;
  HostCompilerOptions options_;
};

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

/// Finds a compiler by name; a name with a '/' is a path.
std::optional<fs::path> look_up(const std::string& name, const std::string& search_path) {
  if (name.find('/') != std::string::npos)
    return is_program(name) ? std::optional<fs::path>(name) : std::nullopt;
  for (std::size_t at = 0; at <= search_path.size();) {
    const std::size_t end = std::min(search_path.find(':', at), search_path.size());
    const fs::path candidate = fs::path(search_path.substr(at, end - at)) / name;
    if (candidate.is_absolute() && is_program(candidate)) return candidate;
    at = end + 1;
  }
  return std::nullopt;
}

constexpr std::chrono::seconds kVersionTime{20};

/// Returns "gcc version 12.2.0 (...), x86_64-linux-gnu" from the output of `-v`; nullopt if the
/// program is not g++ or clang++. Throws CompileError if it does not end.
std::optional<std::string> ask_version(const fs::path& compiler, const std::string& search_path) {
  const ProcessResult r = run_process({.argv = {compiler.string(), "-v"},
                                       .environment = {"PATH=" + search_path, "LC_ALL=C"},
                                       .directory = "/",
                                       .timeout = kVersionTime,
                                       .stop = {}});
  if (r.timed_out) {
    throw CompileError(str("[jit] ", compiler.string(), " -v took more than ", kVersionTime.count(),
                           " s; the machine is too busy, or the compiler hangs: set EFLOW_CXX to ",
                           "another"));
  }
  if (!r.ok()) return std::nullopt;
  std::string version, target;
  for (std::size_t at = 0; at < r.output.size();) {
    const std::size_t end = std::min(r.output.find('\n', at), r.output.size());
    const std::string line = r.output.substr(at, end - at);
    if (line.find("gcc version") != std::string::npos ||
        line.find("clang version") != std::string::npos)
      version = line;
    if (line.starts_with("Target: ")) target = line.substr(8);
    at = end + 1;
  }
  if (version.empty() || target.empty()) return std::nullopt;
  return version + ", " + target;
}

}  // namespace

FoundCompiler find_host_compiler(const HostCompilerOptions& options) {
  std::vector<std::string> names{"g++", "clang++", "c++"};
  if (!options.cxx.empty()) names = {options.cxx};
  std::string tried;
  for (const std::string& name : names) {
    const std::optional<fs::path> path = look_up(name, options.search_path);
    if (!path) {
      tried += str(tried.empty() ? "" : ", ", name, " not found");
      continue;
    }
    try {
      if (std::optional<std::string> version = ask_version(*path, options.search_path)) {
        return {std::make_shared<HostCompiler>(path->string(), *std::move(version), options), ""};
      }
      tried += str(tried.empty() ? "" : ", ", path->string(),
                   " does not answer -v as g++ or clang++ do");
    } catch (const NothingFree& e) {
      // The next compiler, or none, would be another key for the same kernel.
      throw CompileError(
          str("[jit] the compiler ", path->string(), " cannot be started now: ", e.what()));
    } catch (const IoError& e) {
      tried += str(tried.empty() ? "" : ", ", e.what());
    }
  }
  return {nullptr, str("no C++ compiler (", tried, "; looked in ", options.search_path,
                       "); install g++ or clang++, or set EFLOW_CXX")};
}

}  // namespace eflow::jit

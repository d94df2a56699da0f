#include "eflow/jit/cuda/nvrtc.hpp"

#include <charconv>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/jit/cuda/nvrtc_library.hpp"
#include "eflow/jit/cuda/tile_bytes.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/request_check.hpp"

namespace eflow::jit {
namespace {

using Clock = std::chrono::steady_clock;

/// Owns one NVRTC program.
class Program {
 public:
  Program(const NvrtcLibrary& library, const std::string& source, const char* name,
          const std::vector<TextFile>& files)
      : lib_(library) {
    std::vector<const char*> texts, names;
    for (const TextFile& file : files) {
      texts.push_back(file.text.c_str());
      names.push_back(file.path.c_str());
    }
    check("nvrtcCreateProgram",
          lib_.create(&program_, source.c_str(), name, static_cast<int>(files.size()), texts.data(),
                      names.data()));
  }
  ~Program() { lib_.destroy(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int compile(const std::vector<std::string>& options) {
    std::vector<const char*> pointers;
    for (const std::string& option : options) pointers.push_back(option.c_str());
    return lib_.compile(program_, static_cast<int>(pointers.size()), pointers.data());
  }
  void set_flow_callback(int (*callback)(void*, void*), void* payload) {
    if (lib_.set_flow_callback != nullptr) lib_.set_flow_callback(program_, callback, payload);
  }
  std::string log() { return text("nvrtcGetProgramLog", lib_.log_size, lib_.log); }
  std::string ptx() { return text("nvrtcGetPTX", lib_.ptx_size, lib_.ptx); }
  std::string cubin() { return bytes("nvrtcGetCUBIN", lib_.cubin_size, lib_.cubin); }

 private:
  void check(const char* call, int code) const {
    if (code != 0) throw CompileError(str("[jit] ", call, ": ", lib_.error_string(code)));
  }
  std::string bytes(const char* call, int (*size)(NvrtcProgram, std::size_t*),
                    int (*get)(NvrtcProgram, char*)) {
    std::size_t n = 0;
    check(call, size(program_, &n));
    std::string out(n, '\0');
    if (n > 0) check(call, get(program_, out.data()));
    return out;
  }
  std::string text(const char* call, int (*size)(NvrtcProgram, std::size_t*),
                   int (*get)(NvrtcProgram, char*)) {
    std::string out = bytes(call, size, get);
    while (!out.empty() && out.back() == '\0') out.pop_back();
    return out;
  }

  const NvrtcLibrary& lib_;
  NvrtcProgram program_ = nullptr;
};

/// The state of NVRTC's flow callback, which is polled during a compile.
struct Watch {
  Clock::time_point deadline;
  const CompileLimits& limits;
  bool late = false, stopped = false;

  static int ask(void* payload, void*) {
    Watch& watch = *static_cast<Watch*>(payload);
    watch.late = watch.late || Clock::now() > watch.deadline;
    watch.stopped = watch.stopped || watch.limits.stopped();
    return watch.late || watch.stopped ? 1 : 0;
  }
};

class Nvrtc final : public Compiler {
 public:
  Nvrtc(NvrtcLibrary library, std::string toolchain)
      : library_(std::move(library)), toolchain_(std::move(toolchain)) {}

  const std::string& toolchain() const override { return toolchain_; }

  std::vector<std::string> options(const Target& target) const override {
    // Texts contain no __device__ annotations, so functions are device code by default.
    // --no-source-include keeps NVRTC from reading the disk.
    std::vector<std::string> out{"--gpu-architecture=" + target.arch, "--std=c++20",
                                 "--device-as-default-execution-space", "--no-source-include"};
    if (!is_ptx(target)) out.emplace_back("--ptxas-options=-v");
    // NVRTC's own cache would write below the home directory and duplicate ours.
    if (library_.major * 100 + library_.minor >= 1209) out.emplace_back("--no-cache");
    return out;
  }

  Compiled compile(const BuildRequest& request, const CompileLimits& limits) const override {
    check_command(request);
    const Stopwatch stopwatch;
    Program program(library_, request.program, "kernel.cu", request.texts->files);
    Watch watch{Clock::now() + limits.timeout, limits};
    program.set_flow_callback(&Watch::ask, &watch);
    const int code = program.compile(request.options);
    std::string log = program.log();
    if (code != 0 || watch.late) {
      const std::string_view what = watch.late      ? "did not compile in time"
                                    : watch.stopped ? "was stopped while compiling"
                                                    : "does not compile";
      throw CompileError(str("[jit] ", request.title(), " ", what, " with ", toolchain_, " (",
                             library_.error_string(code), "):\n", log));
    }
    Resources resources = parse_resources(log);
    std::string ptx = program.ptx();
    resources.shared += tile_bytes(ptx, request.title());
    std::string warnings = parse_warnings(log);
    const double seconds = stopwatch.seconds();
    return {is_ptx(request.target) ? ptx : program.cubin(),
            std::move(log),
            resources,
            seconds,
            std::move(warnings),
            std::move(ptx)};
  }

 private:
  static bool is_ptx(const Target& target) { return target.arch.starts_with(kPtxArchPrefix); }

  NvrtcLibrary library_;
  std::string toolchain_;
};

/// Major and minor version do not identify a build; the header of any PTX does: "Build ID:
/// CL-36424714".
std::string build_id(const NvrtcLibrary& library) {
  Program program(library, "\n", "empty.cu", {});
  if (program.compile({"--gpu-architecture=compute_80"}) != 0)
    return "unknown build: " + program.log();
  const std::string ptx = program.ptx();
  const std::size_t at = ptx.find("Build ID: ");
  return at == std::string::npos ? "unknown build"
                                 : ptx.substr(at + 10, ptx.find('\n', at) - at - 10);
}

/// The number that ends one space before `at`.
int number_before(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9') --begin;
  int value = 0;
  std::from_chars(text.data() + begin, text.data() + at, value);
  return value;
}

int largest(std::string_view log, std::string_view unit) {
  int best = 0;
  for (std::size_t at = log.find(unit); at != std::string_view::npos; at = log.find(unit, at + 1)) {
    best = std::max(best, number_before(log, at));
  }
  return best;
}

}  // namespace

Resources parse_resources(std::string_view log) {
  return {.registers = largest(log, " registers"),
          .spill_stores = largest(log, " bytes spill stores"),
          .spill_loads = largest(log, " bytes spill loads"),
          .stack = largest(log, " bytes stack frame"),
          .shared = largest(log, " bytes smem")};
}

std::string parse_warnings(std::string_view log) {
  std::string out;
  bool warns = false;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    const bool report =
        line.starts_with("ptxas info") || line.find(" bytes stack frame") != line.npos;
    // A remark says how to suppress warnings, which only options could.
    if (report || line.empty() || line.starts_with("Remark:")) continue;
    warns = warns || line.find("warning") != line.npos;
    out += str(line, "\n");
  }
  return warns ? out : "";
}

FoundCompiler find_nvrtc(const std::string& library) {
  std::string why;
  std::optional<NvrtcLibrary> found = open_nvrtc(library, why);
  if (!found) return {nullptr, why};
  try {
    const std::string toolchain =
        str("nvrtc ", found->major, ".", found->minor, " ", build_id(*found));
    return {std::make_shared<Nvrtc>(*std::move(found), toolchain), ""};
  } catch (const Error& e) {
    return {nullptr, e.what()};
  }
}

}  // namespace eflow::jit

#include "eflow/jit/host/checked_text.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/jit/host/subprocess.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"

namespace eflow::jit {
namespace {

/// Layout of EflowChecks in kernels_src/tile/base/checked.h.
struct Checks {
  void (*access)(const void* p, unsigned long long bytes, int writes);
  void (*tile)(void* p, long long bytes);
  void (*undefined)(const char* what, const char* file, unsigned line);
  void (*require)(const char* message);
  void (*say_text)(const char* text);
  void (*say_number)(double x);
  void (*say_integer)(long long x);
  void (*say_end)(const void* block);
};

/// The addresses that checked texts were loaded at.
struct Loaded {
  std::mutex mutex;
  std::set<const void*> bases;
  bool has(const void* base) {
    const std::lock_guard lock(mutex);
    return bases.contains(base);
  }
};
Loaded& loaded() {
  static Loaded all;
  return all;
}

/// The highest address of the running thread's stack.
const char* stack_end() {
  thread_local const char* end = [] {
    pthread_attr_t attributes;
    void* lowest = nullptr;
    std::size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return static_cast<char*>(nullptr);
    pthread_attr_getstack(&attributes, &lowest, &bytes);
    pthread_attr_destroy(&attributes);
    return static_cast<char*>(lowest) + bytes;
  }();
  return end;
}

/// The block that the thread runs.
struct Watch {
  const CheckedLaunch& launch;
  HostBlock block;
  CheckedThreads* threads = nullptr;  ///< null: the thread itself
  jmp_buf end = {};
  std::vector<MemoryRegion> tiles = {};  ///< live ones, by address
  std::string error = "", line = "";
};
thread_local Watch* watch = nullptr;

bool holds(const MemoryRegion& region, const char* p, std::size_t bytes) {
  return p >= region.begin && bytes <= region.bytes &&
         static_cast<std::size_t>(p - region.begin) <= region.bytes - bytes;
}
/// The last region that begins at or before p; null without one.
const MemoryRegion* before(const std::vector<MemoryRegion>& regions, const char* p) {
  const auto after =
      std::upper_bound(regions.begin(), regions.end(), p,
                       [](const char* at, const MemoryRegion& r) { return at < r.begin; });
  return after == regions.begin() ? nullptr : &*(after - 1);
}

/// "acme/scale.h:7" of a line of addr2line's; empty if it is not of a text.
std::string text_line(std::string_view line) {
  line = line.substr(0, line.find(" (discriminator"));
  while (line.starts_with("./")) line.remove_prefix(2);
  const bool none = line.starts_with("??") || line.find("kernel.cpp:") != line.npos ||
                    line.find("/tile/base/checked.h:") != line.npos;
  return none ? "" : std::string(line);
}

/// The innermost line that is not of the vocabulary, as " (acme/scale.h:7)", from addr2line's output.
std::string innermost(std::string_view output) {
  std::string first;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    const std::string line = text_line(output.substr(0, end));
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line.empty()) continue;
    if (line.find("eflow/kernels_src/tile/") == line.npos) return str(" (", line, ")");
    if (first.empty()) first = line;
  }
  return first.empty() ? "" : str(" (", first, ")");
}

/// Where the text is, from the part of the stack that is its own. Empty without addr2line.
std::string place_of(void* const* frames, int count) {
  Process process{.argv = {"/usr/bin/addr2line", "-i", "-e"}, .environment = {"LC_ALL=C"}};
  for (int i = 0; i < count; ++i) {
    Dl_info info;
    if (dladdr(frames[i], &info) == 0 || !loaded().has(info.dli_fbase)) continue;
    if (process.argv.size() == 3) process.argv.emplace_back(info.dli_fname);
    // A return address is behind its call.
    const auto at = static_cast<const char*>(frames[i]) - static_cast<char*>(info.dli_fbase) - 1;
    char hex[20];
    *std::to_chars(hex, hex + sizeof hex - 1, at, 16).ptr = '\0';
    process.argv.emplace_back(hex);
  }
  try {
    return process.argv.size() == 3 ? "" : innermost(run_process(process).output);
  } catch (const Error&) {  // the error itself matters more than its place
    return "";
  }
}

// These leave the stack without destroying what is on it, so they take texts over.
[[noreturn]] void end_with(std::string error) {
  if (watch->threads != nullptr) watch->threads->end(std::move(error));
  watch->error = std::move(error);
  _longjmp(watch->end, 1);
}
[[noreturn]] void fail(std::string error) {
  void* frames[48];
  const int count = backtrace(frames, 48);
  error += place_of(frames, count);
  end_with(std::move(error));
}

std::string describe(const char* p, std::size_t bytes, int writes) {
  return str(writes != 0 ? "writes " : "reads ", bytes, " bytes at ", static_cast<const void*>(p));
}

/// "16 bytes behind 4000 bytes of known memory".
std::string distance(const MemoryRegion& region, const char* p, std::string_view what) {
  const std::ptrdiff_t behind = p - (region.begin + region.bytes);
  return behind >= 0 ? str(behind, " bytes behind ", what, " of ", region.bytes, " bytes")
                     : str("across the end of ", what, " of ", region.bytes, " bytes");
}

void on_access(const void* address, unsigned long long bytes, int writes) {
  if (watch == nullptr) return;
  const auto* const p = static_cast<const char*>(address);
  const char here = 0;
  std::string error;
  if (watch->threads != nullptr) {
    const bool own = watch->threads->access(p, bytes, writes != 0, error);
    if (!error.empty()) fail(std::move(error));
    if (own) return;
  } else if (p >= &here && p < stack_end()) {
    return;
  }
  const HostBlock& b = watch->block;
  if (p >= b.scratch && p < b.scratch + b.scratch_bytes) {
    const MemoryRegion* const tile = before(watch->tiles, p);
    if (tile != nullptr && holds(*tile, p, bytes)) return;
    error = str(describe(p, bytes, writes), ", ",
                tile == nullptr ? std::string("before any tile") : distance(*tile, p, "a tile"));
    fail(std::move(error));
  }
  const CheckedLaunch& launch = watch->launch;
  if (holds({static_cast<const char*>(launch.args), launch.args_bytes}, p, bytes)) return;
  const MemoryRegion* const region = before(launch.memory, p);
  if (region != nullptr && holds(*region, p, bytes)) return;
  if (reinterpret_cast<std::uintptr_t>(p) < 4096) {
    error = describe(p, bytes, writes) + ", a null pointer";
    fail(std::move(error));
  }
  if (launch.memory.empty()) return;
  if (Dl_info info; dladdr(p, &info) != 0) return;  // a constant or a table
  error = str(describe(p, bytes, writes), ", ",
              region == nullptr ? std::string("before all memory that the launch may touch")
                                : distance(*region, p, "memory"));
  fail(std::move(error));
}

void on_tile(void* p, long long bytes) {
  if (watch == nullptr) return;
  auto& tiles = watch->tiles;
  while (!tiles.empty() && tiles.back().begin >= p) tiles.pop_back();
  tiles.push_back({static_cast<const char*>(p), static_cast<std::size_t>(bytes)});
  std::memset(p, 0xff, static_cast<std::size_t>(bytes));  // NaN, to whoever reads it unwritten
}

void on_undefined(const char* what, const char* file, unsigned line) {
  if (watch == nullptr) return;
  const std::string_view path(file);
  std::string error = str("undefined behaviour: ", what, " (",
                          path.starts_with("./") ? path.substr(2) : path, ":", line, ")");
  if (path.find("eflow/kernels_src/tile/") == path.npos) end_with(std::move(error));
  error += ", called from";
  fail(std::move(error));
}

void on_require(const char* message) {
  if (watch != nullptr) fail(str("requires that ", message));
}

const Checks kChecks{
    on_access,
    on_tile,
    on_undefined,
    on_require,
    [](const char* text) { watch->line += text; },
    [](double x) { watch->line += str(x); },
    [](long long x) { watch->line += str(x); },
    [](const void*) {
      const HostBlock& b = watch->block;
      log_warning("[block ", b.x, ", ", b.y, ", ", b.z, "] ", watch->line);
      watch->line.clear();
    },
};

}  // namespace

void KnownMemory::add(const void* p, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  regions_[static_cast<const char*>(p)].insert(bytes);
}
void KnownMemory::remove(const void* p, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto at = regions_.find(static_cast<const char*>(p));
  if (at == regions_.end()) return;
  if (const auto one = at->second.find(bytes); one != at->second.end()) at->second.erase(one);
  if (at->second.empty()) regions_.erase(at);
}
std::vector<MemoryRegion> KnownMemory::regions() const {
  const std::lock_guard lock(mutex_);
  std::vector<MemoryRegion> out;
  out.reserve(regions_.size());
  for (const auto& [begin, sizes] : regions_) out.push_back({begin, *sizes.rbegin()});
  return out;
}

bool connect_checked(void* handle) {
  auto* const checks = static_cast<const Checks**>(dlsym(handle, "eflow_checks"));
  if (checks == nullptr) return false;
  *checks = &kChecks;
  Dl_info info;
  if (dladdr(checks, &info) != 0) {
    const std::lock_guard lock(loaded().mutex);
    loaded().bases.insert(info.dli_fbase);
  }
  return true;
}

struct CheckedScope::State {
  Watch watch;
};
CheckedScope::CheckedScope(const CheckedLaunch& launch, CheckedThreads& threads)
    : state_(new State{{launch, {}, &threads}}) {
  watch = &state_->watch;
}
CheckedScope::~CheckedScope() {
  watch = nullptr;
}
void CheckedScope::set_block(const HostBlock& block) {
  state_->watch.block = block;
}

std::string run_checked(const CheckedLaunch& launch, const HostBlock& block) {
  Watch here{launch, block};
  watch = &here;
  if (_setjmp(here.end) == 0) launch.run(&block, launch.args);
  watch = nullptr;
  return here.error;
}

}  // namespace eflow::jit

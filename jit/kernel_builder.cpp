#include "eflow/jit/kernel_builder.hpp"

#include <charconv>
#include <map>
#include <mutex>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/host/compiler.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"

namespace eflow::jit {
namespace {

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Bounds a compiler's output for the log; the artifact contains all of it.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 4096;
  if (text.size() <= kMost) return text;
  return str(text.substr(0, kMost), "\n[", text.size() - kMost,
             " more bytes; see `eflow jit show`]");
}

/// Offers a cached artifact to `accept`. Returns false and sets `why` if it is rejected.
bool accepted(const KernelBuilder::Accept& accept, const Artifact& artifact, std::string& why) {
  if (!accept) return true;
  try {
    accept(artifact);
    return true;
  } catch (const Error& e) {
    why = e.what();
    return false;
  }
}

/// What PTX may be compiled for, best first.
constexpr int kPtxCapabilities[] = {120, 103, 100, 90, 89, 86, 80, 75};

/// 90 of "sm_90a"; 0 if it has no number.
int capability_of(std::string_view arch) {
  const std::size_t digits = std::min(arch.find_first_of("0123456789"), arch.size());
  int out = 0;
  std::from_chars(arch.data() + digits, arch.data() + arch.size(), out);
  return out;
}

}  // namespace

std::string_view name_of(Origin origin) {
  switch (origin) {
    case Origin::kBuiltin:
      return "built in";
    case Origin::kMemory:
      return "memory";
    case Origin::kPack:
      return "pack";
    case Origin::kDisk:
      return "disk cache";
    case Origin::kCompiled:
      return "compiled";
  }
  return "?";
}

struct KernelBuilder::State {
  explicit State(Options o) : options(std::move(o)), texts(options.kernel_dir) {}

  Options options;
  KernelTexts texts;
  KernelDefinitions definitions;
  Events events;

  std::once_flag host_once, cuda_once, disk_once, packs_once, records_once, portable_once;
  FoundCompiler host, cuda;
  std::unique_ptr<DiskCache> disk;
  std::string disk_why;
  std::vector<std::unique_ptr<Pack>> packs;
  std::vector<TuningRecord> packed_records;
  // entries of the disk cache by portable key, for machines without a compiler
  std::multimap<Key, ArtifactPtr> portable;

  mutable std::mutex counting;
  Stats stats;
  template <class F>
  void count(F&& f) {
    const std::lock_guard lock(counting);
    f(stats);
  }

  void open_disk() {
    const CacheRoot root = choose_cache_root(options.cache);
    disk_why = root.warning;
    if (!root.path.empty()) {
      DiskCacheOptions cache{.root = root.path, .max_bytes = options.cache_max_bytes};
      disk = DiskCache::open(cache, disk_why);
      if (disk) disk_why = root.warning;
    }
    if (!disk && disk_why.empty()) disk_why = "no cache directory is set";
    if (!root.warning.empty()) {
      log_warning(
          "[jit] the preferred cache directory is unusable: ", root.warning, ". Using ",
          disk ? root.path.string() : std::string("memory only; the next run compiles again"));
    }
  }

  void open_packs() {
    for (const std::filesystem::path& path : options.packs) {
      std::string why;
      if (std::unique_ptr<Pack> pack = Pack::open(path, why))
        packs.push_back(std::move(pack));
      else
        log_warning("[jit] a pack of compiled kernels is ignored: ", why);
    }
  }

  void read_packed_records() {
    for (const auto& pack : packs) {
      try {
        const std::string text = pack->tuning();
        if (text.empty()) continue;
        for (TuningRecord& record : TuningDatabase::from_json(text, pack->path())) {
          if (record.finished) packed_records.push_back(std::move(record));
        }
      } catch (const Error& e) {
        log_warning("[jit] the tuning records of a pack are ignored: ", e.what());
      }
    }
  }
};

KernelBuilder::KernelBuilder(const Options& options) : state_(std::make_unique<State>(options)) {}
KernelBuilder::~KernelBuilder() = default;

KernelTexts& KernelBuilder::texts() {
  return state_->texts;
}
KernelDefinitions& KernelBuilder::definitions() {
  return state_->definitions;
}
void KernelBuilder::set_events(Events events) {
  state_->events = std::move(events);
}
void KernelBuilder::count_memory_hit() {
  state_->count([](Stats& s) { ++s.memory_hits; });
}
Stats KernelBuilder::stats() const {
  const std::lock_guard lock(state_->counting);
  return state_->stats;
}

const FoundCompiler& KernelBuilder::compiler(Backend backend) {
  State& s = *state_;
  const Options& o = s.options;
  if (backend == Backend::kCuda) {
    std::call_once(s.cuda_once, [&] { s.cuda = find_nvrtc(o.nvrtc); });
    return s.cuda;
  }
  std::call_once(s.host_once, [&] {
    s.host = find_host_compiler({.cxx = o.cxx,
                                 .search_path = o.search_path,
                                 .temporary = o.temporary,
                                 .check = o.check,
                                 .sources = o.kernel_dir});
  });
  return s.host;
}

DiskCache* KernelBuilder::disk() {
  std::call_once(state_->disk_once, [this] { state_->open_disk(); });
  return state_->disk.get();
}
const std::string& KernelBuilder::disk_why() {
  return static_cast<void>(disk()), state_->disk_why;
}

const std::vector<std::unique_ptr<Pack>>& KernelBuilder::packs() {
  std::call_once(state_->packs_once, [this] { state_->open_packs(); });
  return state_->packs;
}

const std::vector<TuningRecord>& KernelBuilder::packed_records() {
  static_cast<void>(packs());
  std::call_once(state_->records_once, [this] { state_->read_packed_records(); });
  return state_->packed_records;
}

BuildRequest KernelBuilder::request(const KernelRef& kernel, const Target& target) {
  const KernelSource source = state_->definitions.source(kernel);
  BuildRequest out;
  out.name = kernel.name;
  out.spec = kernel.spec;
  out.target = target;
  const bool emulated = target.arch == kEmulatedArch;
  out.program = make_program(target.backend, {.title = to_string(kernel.spec, kernel.name),
                                              .text = source.text,
                                              .expression = source.expression,
                                              .threads = source.threads,
                                              .prologue = source.prologue,
                                              .emulated = emulated,
                                              .checked = emulated || state_->options.check});
  out.texts = state_->texts.closure(source.text, emulated);
  if (const FoundCompiler& found = compiler(target.backend)) {
    out.toolchain = found.compiler->toolchain();
    out.options = found.compiler->options(target);
  }
  return out;
}

Built KernelBuilder::build(const BuildRequest& request, const CompileLimits& limits,
                           const Accept& accept) {
  State& s = *state_;
  if (s.options.mode == JitMode::kOff) {
    throw CompileError(str("[jit] ", request.title(),
                           " is not built in, and EFLOW_JIT=off allows only built-in kernels"));
  }
  if (request.toolchain.empty()) return find_portable(request, accept);

  std::string bytes = request.canonical_bytes(), why;
  const Key key = key_of(bytes);
  if (Built found = find_cached(key, bytes, accept, why); found.artifact) return found;
  if (s.options.mode == JitMode::kForbid) {
    if (Built found = find_ptx(request, accept); found.artifact) return found;
    throw CompileError(str(
        "[jit] ", request.title(), " must be compiled (", why,
        "), but EFLOW_JIT=forbid does not allow it; run `eflow jit prepare` or set EFLOW_PACKS"));
  }
  // Processes that need the same kernel wait here and then find it in the cache.
  if (limits.stopped())
    throw CompileError(str("[jit] ", request.title(), " was stopped before it was compiled"));
  const KeyLock lock = disk() != nullptr ? disk()->lock(key, limits) : KeyLock();
  if (lock.held()) {
    if (Built found = find_cached(key, bytes, accept, why); found.artifact) return found;
  }
  s.count([](Stats& n) { ++n.misses; });
  if (s.events.on_miss) s.events.on_miss(request, why);
  ArtifactPtr artifact;
  try {
    artifact = compile(request, key, std::move(bytes), limits);
  } catch (const CompileError& e) {
    // A GPU that is newer than NVRTC. A text with an error is in no pack.
    Built found = find_ptx(request, accept);
    if (!found.artifact) throw;
    log_info("[jit] ", request.title(), " comes as PTX from a pack: ", shortened(e.what()));
    return found;
  }
  if (accept) accept(*artifact);
  if (disk() != nullptr) disk()->put(*artifact);
  return {std::move(artifact), Origin::kCompiled};
}

Built KernelBuilder::find_cached(const Key& key, const std::string& bytes, const Accept& accept,
                                 std::string& why) {
  why = "no cache";
  for (const std::unique_ptr<Pack>& pack : packs()) {
    ArtifactPtr artifact = pack->get(key, bytes, why);
    if (!artifact || !accepted(accept, *artifact, why)) continue;
    state_->count([](Stats& s) { ++s.pack_hits; });
    return {std::move(artifact), Origin::kPack};
  }
  if (disk() == nullptr) return {};
  ArtifactPtr artifact = disk()->get(key, bytes, why);
  if (!artifact) return {};
  if (!accepted(accept, *artifact, why)) {
    disk()->quarantine(key, why);
    return {};
  }
  state_->count([](Stats& s) { ++s.disk_hits; });
  return {std::move(artifact), Origin::kDisk};
}

Built KernelBuilder::find_ptx(const BuildRequest& request, const Accept& accept) {
  if (request.target.backend != Backend::kCuda || packs().empty()) return {};
  const int device = capability_of(request.target.arch);
  for (const int capability : kPtxCapabilities) {
    if (capability > device) continue;
    BuildRequest as_ptx = request;
    as_ptx.target.arch = str(kPtxArchPrefix, capability);
    const std::string portable = as_ptx.portable_bytes();
    std::string why;
    for (const std::unique_ptr<Pack>& pack : packs()) {
      ArtifactPtr artifact = pack->get_portable(portable, why);
      if (!artifact || !accepted(accept, *artifact, why)) continue;
      state_->count([](Stats& n) { ++n.pack_hits; });
      return {std::move(artifact), Origin::kPack};
    }
  }
  return {};
}

Built KernelBuilder::find_portable(const BuildRequest& request, const Accept& accept) {
  State& s = *state_;
  const std::string portable = request.portable_bytes();
  std::string why;
  for (const std::unique_ptr<Pack>& pack : packs()) {
    ArtifactPtr artifact = pack->get_portable(portable, why);
    if (artifact && accepted(accept, *artifact, why)) return {std::move(artifact), Origin::kPack};
  }
  std::call_once(s.portable_once, [&] {
    for (const CacheEntry& entry :
         disk() != nullptr ? disk()->entries() : std::vector<CacheEntry>()) {
      const ArtifactPtr artifact = disk()->read(entry, why);
      const auto made_from = artifact ? BuildRequest::decode(artifact->request) : std::nullopt;
      if (made_from) s.portable.emplace(key_of(made_from->portable_bytes()), artifact);
    }
  });
  const auto [first, last] = s.portable.equal_range(key_of(portable));
  for (auto at = first; at != last; ++at) {
    if (!at->second->request.starts_with(portable) || !accepted(accept, *at->second, why)) continue;
    return {at->second, Origin::kDisk};
  }
  if (Built found = find_ptx(request, accept); found.artifact) return found;
  throw CompileError(str(
      "[jit] ", request.title(),
      " is not in a pack or cache and cannot be compiled: ", compiler(request.target.backend).why));
}

ArtifactPtr KernelBuilder::compile(const BuildRequest& request, const Key& key, std::string bytes,
                                   const CompileLimits& limits) {
  State& s = *state_;
  if (s.events.on_compile_begin) s.events.on_compile_begin(request);
  const Stopwatch watch;
  auto artifact = std::make_shared<Artifact>();
  std::string error;
  try {
    Compiled out = compiler(request.target.backend).compiler->compile(request, limits);
    artifact->image = std::move(out.image);
    artifact->log = std::move(out.log);
    artifact->resources = out.resources;
    if (!out.warnings.empty())
      log_warning("[jit] ", request.title(), " compiles, but with warnings:\n",
                  shortened(out.warnings));
  } catch (const Error& e) {
    error = e.what();
  }
  const double seconds = watch.seconds();
  if (!s.options.dump_dir.empty()) {
    dump_build(s.options.dump_dir, request, artifact->image, error.empty() ? artifact->log : error);
  }
  s.count([&](Stats& n) {
    n.compile_seconds += seconds;
    ++(error.empty() ? n.compiled : n.failed);
  });
  if (s.events.on_compile_end) s.events.on_compile_end(request, seconds, error);
  if (!error.empty()) throw CompileError(error);
  artifact->key = key;
  artifact->request = std::move(bytes);
  artifact->seconds = seconds;
  artifact->made = now_seconds();
  return artifact;
}

}  // namespace eflow::jit

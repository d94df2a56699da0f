#include "eflow/jit/runtime.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>

#include "eflow/core/base/log.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/jit/cache/mem_cache.hpp"
#include "eflow/jit/cuda/driver.hpp"
#include "eflow/jit/cuda/launch.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/emulation/launch.hpp"
#include "eflow/jit/host/launch.hpp"
#include "eflow/jit/host/module.hpp"
#include "eflow/jit/host/parallel.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tuned_configs.hpp"

namespace eflow::jit {
namespace {

/// How often a caller that may cancel its compiles is asked.
constexpr std::chrono::milliseconds kPollEvery{20};

Isa choose_isa(std::optional<Isa> wanted) {
  const std::vector<Isa> usable = usable_isas();
  if (!wanted) return default_isa();
  if (std::find(usable.begin(), usable.end(), *wanted) == usable.end()) {
    throw InvalidArgument(str("[jit] instruction set ", name_of(*wanted),
                              " is not supported by this CPU and build; the best is ",
                              name_of(usable.back())));
  }
  return *wanted;
}

}  // namespace

/// The kernels of a GPU. Unlike CPU kernels, their modules are unloaded with the Runtime.
struct CudaState {
  std::optional<CudaApi> opened;
  std::shared_ptr<const CudaContext> context;
  SpecTable<CudaKernel> table;
  MemCache<CudaModule> loaded;

  explicit CudaState(const Options& options) {
    const CudaApi* api = options.cuda;
    if (api == nullptr) {
      std::string why;
      opened = open_cuda_api(options.cuda_library, why);
      if (!opened)
        throw DeviceError(str("[jit] no device ", options.device, ": ", why,
                              "; install NVIDIA's driver, or choose the device cpu"));
      api = &*opened;
    }
    context = std::make_shared<const CudaContext>(*api, std::stoi(options.device.substr(5)));
  }

  DeviceLimits limits() const {
    const CudaDevice& d = context->device();
    return {.name = d.name,
            .arch = d.arch(),
            .threads = d.multiprocessors,
            .l1_bytes = 0,
            .l2_bytes = static_cast<std::int64_t>(d.l2),
            .block_bytes = d.shared_per_block};
  }
};

struct Runtime::State {
  Options options;
  Isa isa;
  SpecTable<HostKernel> table;
  ThreadPool pool;
  KernelBuilder builder;
  MemCache<HostKernel> loaded;
  Stream own_stream;
  KernelTexts embedded;
  std::unordered_set<KernelSpec, KernelSpecHash> overridden;  // see is_overridden
  std::unique_ptr<CudaState> cuda;                            // null: the device is the CPU
  DeviceLimits limits;
  TunedConfigs tuned;
  KnownMemory known_memory;
  std::mutex warning;
  std::set<std::string, std::less<>> warned;  // names of kernels that prepare_or_warn has reported
  std::function<bool()> cancelled;            // see cancel_compiles_if
  std::thread::id cancelled_on;

  explicit State(const Options& o)
      : options(o), isa(choose_isa(o.isa)), pool(o.threads), builder(o) {
    options.device = resolve_device(o.device, o.cuda, o.cuda_library);
    if (options.device != "cpu") {
      cuda = std::make_unique<CudaState>(options);
      limits = cuda->limits();
      return;
    }
    for (const auto& [spec, entry] : builtin_index(isa)) {
      if (is_overridden(entry->file))
        overridden.insert(spec);
      else
        table.insert(spec, {entry->run, entry->args_bytes, argument_types_of(*entry)});
    }
    limits = host_limits(std::string(name_of(isa)), pool.size(),
                         static_cast<std::int64_t>(ThreadPool::kScratchBytes));
  }

  /// Whether options.kernel_dir has another version of a built-in kernel's text.
  bool is_overridden(const char* file) {
    if (options.kernel_dir.empty()) return false;
    try {
      return builder.texts().closure(file)->content != embedded.closure(file)->content;
    } catch (const CompileError&) {
      return true;  // the compile shows the error
    }
  }

  /// The kernel, compiled now if it is a built-in one whose text is overridden: callers launch those
  /// without prepare().
  const HostKernel* host_kernel(std::string_view name, const KernelSpec& spec) {
    const HostKernel* const kernel = table.find(spec);
    if (kernel != nullptr || !overridden.contains(spec)) return kernel;
    const Prepared made = prepare(KernelRef(std::string(name), spec), {});
    if (!made.ok()) throw CompileError(made.error);
    return table.find(spec);
  }

  Target target() const {
    if (options.emulate && !cuda) return {Backend::kHost, std::string(kEmulatedArch)};
    return {cuda ? Backend::kCuda : Backend::kHost, limits.arch};
  }
  bool has(const KernelSpec& spec) const {
    return cuda ? cuda->table.find(spec) != nullptr : table.find(spec) != nullptr;
  }

  void obtain(const KernelRef& kernel, const CompileLimits& time, Prepared& out) {
    if (has(kernel.spec)) {
      builder.count_memory_hit();
      out.origin = Origin::kMemory;
    } else if (cuda) {
      table_insert(
          cuda->table, cuda->loaded, kernel, time, out,
          [&](const Artifact& a, const BuildRequest& request) {
            out.resources = a.resources;
            KernelSource source = builder.definitions().source(kernel);
            // What the text's tiles take, besides the static memory that the assembler reports.
            const std::int64_t tiles = a.resources.shared - parse_resources(a.log).shared;
            source.shared_bytes = std::max(source.shared_bytes, tiles);
            return std::make_shared<const CudaModule>(cuda->context, a.image, source,
                                                      request.title());
          },
          [](const CudaModule& module) { return module.kernel(); });
    } else {
      table_insert(
          table, loaded, kernel, time, out,
          [&](const Artifact& a, const BuildRequest&) {
            HostKernel fresh = load_host_kernel(
                a.image,
                {.for_debugger = options.check || options.emulate, .one_thread = pool.size() == 1});
            if (options.emulate)
              connect_emulated(fresh, builder.definitions().source(kernel).threads);
            return std::make_shared<const HostKernel>(fresh);
          },
          [](const HostKernel& host) { return host; });
    }
  }

  /// Builds and loads a kernel and inserts it into the table. Equal requests, whatever their
  /// KernelSpec, share the loaded kernel in `memory`.
  template <class Kernel, class Loaded, class Load, class KernelOf>
  void table_insert(SpecTable<Kernel>& into, MemCache<Loaded>& memory, const KernelRef& kernel,
                    const CompileLimits& time, Prepared& out, Load&& load, KernelOf&& kernel_of) {
    const BuildRequest request = builder.request(kernel, target());
    const std::string bytes = request.canonical_bytes();
    out.origin = Origin::kMemory;
    const auto made = memory.get_or_make(key_of(bytes), bytes, [&] {
      std::shared_ptr<const Loaded> fresh;
      out.origin =
          builder.build(request, time, [&](const Artifact& a) { fresh = load(a, request); }).origin;
      return fresh;
    });
    into.insert(kernel.spec, kernel_of(*made));
  }

  [[nodiscard]] bool is_cancelled() const {
    return std::this_thread::get_id() == cancelled_on && cancelled();
  }

  Prepared prepare(const KernelRef& kernel, std::stop_token stop) {
    const Stopwatch watch;
    Prepared out{.kernel = kernel, .resources = {}, .error = ""};
    CompileLimits compile{
        .timeout = options.compile_timeout, .stop = std::move(stop), .cancelled = {}};
    if (std::this_thread::get_id() == cancelled_on) compile.cancelled = cancelled;
    try {
      obtain(kernel, compile, out);
    } catch (const std::exception& e) {
      out.error = e.what();
    }
    out.seconds = watch.seconds();
    return out;
  }

  template <class Kernel>
  static void check(const Kernel& kernel, std::size_t given, const ArgumentTypes& types,
                    std::string_view name, const KernelSpec& spec) {
    if (!accepts(kernel.types, types)) {
      throw InvalidArgument(
          str("[jit] ", to_string(spec, name), ": ", difference_of(kernel.types, types)));
    }
    const std::size_t takes = kernel.args_bytes;
    if (takes == given || takes == 0) return;
    throw InvalidArgument(str("[jit] ", to_string(spec, name), " takes ", takes,
                              " bytes of arguments, but was given ", given));
  }
};

Runtime::Runtime(const Options& options) : state_(std::make_unique<State>(options)) {}
Runtime::~Runtime() = default;

bool Runtime::has(const KernelSpec& spec) const {
  return state_->has(spec);
}
Target Runtime::target() const {
  return state_->target();
}
std::shared_ptr<const CudaContext> Runtime::cuda_context() const {
  return state_->cuda ? state_->cuda->context : nullptr;
}
const DeviceLimits& Runtime::limits() const {
  return state_->limits;
}
const Options& Runtime::options() const {
  return state_->options;
}
ThreadPool& Runtime::pool() const {
  return state_->pool;
}
Isa Runtime::isa() const {
  return state_->isa;
}
KernelBuilder& Runtime::builder() const {
  return state_->builder;
}
Stats Runtime::stats() const {
  return state_->builder.stats();
}
void Runtime::cancel_compiles_if(std::function<bool()> stop) {
  state_->cancelled = std::move(stop);
  state_->cancelled_on = state_->cancelled ? std::this_thread::get_id() : std::thread::id();
}
void Runtime::allow_memory(const void* p, std::size_t bytes) {
  state_->known_memory.add(p, bytes);
}
void Runtime::forget_memory(const void* p, std::size_t bytes) noexcept {
  state_->known_memory.remove(p, bytes);
}
void Runtime::set_events(Events events) {
  state_->builder.set_events(std::move(events));
}

void Runtime::add_text(std::string path, std::string text) {
  state_->builder.texts().add(std::move(path), std::move(text));
}
void Runtime::define(const KernelDefinition& definition) {
  // A spec of a built-in kernel is looked up before any definition, so another text of its name would
  // silently never run.
  for (const auto& [spec, entry] : builtin_index(state_->isa)) {
    if (definition.name != entry->text || definition.text == entry->file) continue;
    throw InvalidArgument(
        str("[jit] define: '", definition.name, "' is the name of a built-in kernel (", entry->file,
            "), which would run instead of ", definition.text, "; choose another name"));
  }
  state_->builder.definitions().add(definition);
}

std::vector<Prepared> Runtime::prepare(const std::vector<KernelRef>& kernels,
                                       std::stop_token stop) {
  std::vector<Prepared> out(kernels.size());
  const auto prepare_all = [&](const std::stop_token& token) {
    parallel_for(kernels.size(), state_->options.compile_threads,
                 [&](std::size_t i) { out[i] = state_->prepare(kernels[i], token); });
  };
  const bool all_there = std::all_of(kernels.begin(), kernels.end(),
                                     [&](const KernelRef& k) { return state_->has(k.spec); });
  if (all_there || std::this_thread::get_id() != state_->cancelled_on) {
    prepare_all(stop);
    return out;
  }
  // This thread polls, so others compile.
  std::stop_source either;
  const std::stop_callback forward(stop, [&] { either.request_stop(); });
  std::promise<void> promise;
  std::future<void> done = promise.get_future();
  const std::jthread worker([&] {
    prepare_all(either.get_token());
    promise.set_value();
  });
  while (done.wait_for(kPollEvery) != std::future_status::ready) {
    if (state_->cancelled()) either.request_stop();
  }
  return out;
}

bool Runtime::prepare_or_warn(const KernelRef& kernel, std::string_view instead) {
  const Prepared made = state_->prepare(kernel, {});
  if (made.ok()) return true;
  if (state_->is_cancelled()) return false;  // the caller of cancel_compiles_if() knows why
  const std::lock_guard lock(state_->warning);
  if (state_->warned.insert(kernel.name).second)
    log_warning("[jit] ", made.error, "\n", kernel.name, ": ", instead, " instead.");
  return false;
}

KernelSpec Runtime::tuned(std::string_view name, const KernelSpec& spec, ShapeBucket shape) {
  if (state_->options.tune == TuneMode::kOff) return spec;
  return state_->tuned.get(
      spec, shape, [&] { return choose_tuned(*this, KernelRef(std::string(name), spec), shape); });
}

void Runtime::launch_bytes(std::string_view name, const KernelSpec& spec, Grid grid,
                           const void* args, std::size_t bytes, Stream stream,
                           const ArgumentTypes& types) const {
  const State& s = *state_;
  if (stream.handle == nullptr) stream = s.own_stream;
  if (s.cuda) {
    const CudaKernel* kernel = find_cuda(name, spec, bytes, types);
    if (kernel == nullptr) {
      const bool capturing = is_capturing(*s.cuda->context, stream);
      throw NeedsPrepare(str("[jit] no compiled form of ", to_string(spec, name), " for ",
                             s.limits.arch, "; Runtime::prepare makes one",
                             capturing ? "; call it before the capture that is in progress" : ""));
    }
    return launch_cuda(*s.cuda->context, *kernel, grid, args, stream);
  }
  const HostKernel* kernel = state_->host_kernel(name, spec);
  if (kernel == nullptr) {
    throw NeedsPrepare(str("[jit] no compiled form of ", to_string(spec, name), " for ",
                           name_of(s.isa), "; Runtime::prepare makes one"));
  }
  s.check(*kernel, bytes, types, name, spec);
  if (kernel->emulated_threads > 0)
    return launch_emulated(*kernel, name, spec, grid, args, bytes, s.known_memory);
  launch_host(state_->pool, *kernel, name, spec, s.isa, grid, args, bytes, s.known_memory);
}

const CudaKernel* Runtime::find_cuda(std::string_view name, const KernelSpec& spec,
                                     std::size_t bytes, const ArgumentTypes& types) const {
  const State& s = *state_;
  const CudaKernel* kernel = s.cuda->table.find(spec);
  if (kernel != nullptr) s.check(*kernel, bytes, types, name, spec);
  return kernel;
}

ArgumentTypes Runtime::argument_types(const KernelSpec& spec) const {
  const State& s = *state_;
  if (s.cuda) {
    const CudaKernel* kernel = s.cuda->table.find(spec);
    return kernel != nullptr ? kernel->types : kUnknownArguments;
  }
  const HostKernel* kernel = s.table.find(spec);
  return kernel != nullptr ? kernel->types : kUnknownArguments;
}

void Runtime::set_own_stream(Stream stream) {
  state_->own_stream = stream;
}

void Runtime::synchronize(Stream stream) const {
  if (stream.handle == nullptr) stream = state_->own_stream;
  if (state_->cuda) synchronize_cuda(*state_->cuda->context, stream);
}

}  // namespace eflow::jit

#include "eflow/jit/runtime.hpp"

#include <algorithm>

#include "eflow/jit/builtin.hpp"
#include "eflow/jit/host_module.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/mem_cache.hpp"
#include "eflow/jit/parallel.hpp"

namespace eflow::jit {
namespace {

Isa choose_isa(std::optional<Isa> wanted) {
  const std::vector<Isa> usable = usable_isas();
  if (!wanted) return usable.back();
  if (std::find(usable.begin(), usable.end(), *wanted) == usable.end()) {
    throw InvalidArgument(str("[jit] instruction set ", name_of(*wanted),
                              " asked for, but this CPU's best is ", name_of(usable.back())));
  }
  return *wanted;
}

/// What the pool's threads need to run their share of a grid.
struct Launch {
  void (*run)(const void* block, const void* args);
  Grid grid;
  const void* args;
};

void run_blocks(void* context, std::int64_t begin, std::int64_t end, char* scratch) {
  const Launch& launch = *static_cast<const Launch*>(context);
  const Grid& g = launch.grid;
  HostBlock block{0, 0, 0, g.x, g.y, g.z, scratch};
  for (std::int64_t i = begin; i < end; ++i) {
    block.x = i % g.x;
    block.y = i / g.x % g.y;
    block.z = i / (g.x * g.y);
    launch.run(&block, launch.args);
  }
}

}  // namespace

struct Runtime::State {
  Options options;
  Isa isa;
  SpecTable table;
  ThreadPool pool;
  KernelBuilder builder;
  MemCache<HostKernel> loaded;

  explicit State(const Options& o)
      : options(o), isa(choose_isa(o.isa)), pool(o.threads), builder(o) {
    for (const auto& [spec, entry] : builtin_index(isa))
      table.insert(spec, {entry->run, entry->args_bytes});
  }

  Origin obtain(const KernelRef& kernel, const CompileLimits& limits) {
    if (table.find(kernel.spec) != nullptr) {
      builder.count_memory_hit();
      return Origin::kMemory;
    }
    const BuildRequest request =
        builder.request(kernel, {Backend::kHost, std::string(name_of(isa))});
    const std::string bytes = request.canonical_bytes();
    Origin origin = Origin::kMemory;
    const auto made = loaded.get_or_make(key_of(bytes), bytes, [&] {
      auto fresh = std::make_shared<HostKernel>();
      const auto load = [&](const Artifact& artifact) {
        *fresh = load_host_kernel(artifact.image);
      };
      origin = builder.build(request, limits, load).origin;
      return std::shared_ptr<const HostKernel>(std::move(fresh));
    });
    table.insert(kernel.spec, *made);
    return origin;
  }

  Prepared prepare(const KernelRef& kernel, std::stop_token stop) {
    const auto begin = std::chrono::steady_clock::now();
    Prepared out{.kernel = kernel, .error = ""};
    try {
      out.origin = obtain(kernel, {.timeout = options.compile_timeout, .stop = std::move(stop)});
    } catch (const std::exception& e) {
      out.error = e.what();
    }
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return out;
  }
};

Runtime::Runtime(const Options& options) : state_(std::make_unique<State>(options)) {}
Runtime::~Runtime() = default;

bool Runtime::has(const Spec& spec) const {
  return state_->table.find(spec) != nullptr;
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
void Runtime::set_events(Events events) {
  state_->builder.set_events(std::move(events));
}

void Runtime::add_text(std::string path, std::string text) {
  state_->builder.texts().add(std::move(path), std::move(text));
}
void Runtime::define(const KernelDefinition& definition) {
  state_->builder.definitions().add(definition);
}

std::vector<Prepared> Runtime::prepare(const std::vector<KernelRef>& kernels,
                                       std::stop_token stop) {
  std::vector<Prepared> out(kernels.size());
  parallel_for(kernels.size(), state_->options.compile_threads,
               [&](std::size_t i) { out[i] = state_->prepare(kernels[i], stop); });
  return out;
}

void Runtime::run(std::string_view name, const Spec& spec, Grid grid, const void* args,
                  std::size_t bytes) const {
  const HostKernel* kernel = state_->table.find(spec);
  if (kernel == nullptr) {
    throw NeedsPrepare(str("[jit] no compiled form of ", to_string(spec, name), " for ",
                           name_of(state_->isa), "; Runtime::prepare makes one"));
  }
  if (kernel->args_bytes != bytes) {
    throw InvalidArgument(str("[jit] ", to_string(spec, name), " takes ", kernel->args_bytes,
                              " bytes of arguments, it was given ", bytes));
  }
  Launch launch{kernel->run, grid, args};
  state_->pool.run(grid.x * grid.y * grid.z, run_blocks, &launch);
}

}  // namespace eflow::jit

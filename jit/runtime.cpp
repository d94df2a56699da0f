#include "eflow/jit/runtime.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "eflow/base/error.hpp"
#include "eflow/jit/builtin.hpp"

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
  const BuiltinEntry* entry;
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
    launch.entry->run(&block, launch.args);
  }
}

}  // namespace

Options Options::from_environment() {
  Options options;
  if (const char* isa = std::getenv("EFLOW_ISA"); isa && *isa) {
    options.isa = isa_from_name(isa);
    if (!options.isa) {
      throw InvalidArgument(str("[jit] EFLOW_ISA=", isa,
                                " is unknown; expected baseline, avx2, avx512 or avx512_bf16"));
    }
  }
  if (const char* threads = std::getenv("EFLOW_THREADS"); threads && *threads) {
    const std::string_view text = threads;
    const auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), options.threads);
    if (code != std::errc() || end != text.data() + text.size() || options.threads < 0) {
      throw InvalidArgument(str("[jit] EFLOW_THREADS=", text,
                                " is not a number of threads; expected 0 (all) or more"));
    }
  }
  return options;
}

struct Runtime::State {
  Isa isa;
  BuiltinIndex builtin;
  ThreadPool pool;

  explicit State(const Options& options)
      : isa(choose_isa(options.isa)), builtin(builtin_index(isa)), pool(options.threads) {}
};

Runtime::Runtime(const Options& options) : state_(std::make_unique<State>(options)) {}
Runtime::~Runtime() = default;

bool Runtime::has(const Spec& spec) const {
  return state_->builtin.contains(spec);
}
ThreadPool& Runtime::pool() const {
  return state_->pool;
}
Isa Runtime::isa() const {
  return state_->isa;
}

void Runtime::run(std::string_view name, const Spec& spec, Grid grid, const void* args) const {
  const auto found = state_->builtin.find(spec);
  if (found == state_->builtin.end()) {
    throw CompileError(
        str("[jit] no compiled form of ", to_string(spec, name), " for ", name_of(state_->isa)));
  }
  Launch launch{found->second, grid, args};
  state_->pool.run(grid.x * grid.y * grid.z, run_blocks, &launch);
}

}  // namespace eflow::jit

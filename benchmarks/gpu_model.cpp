// A performance model of the GPU kernels, from NVRTC's output and without a GPU: for each kernel, how
// close it should come to each limit of an H100, and which limit is the nearest. A model, not a
// measurement.
//
//   gpu_model [WORD]        prints Markdown tables (of the kernels whose name contains WORD; of products
//                           and attention only if it begins with gemm or glga)
//
// The interpreter (tests/support/ptx) runs the launches of the ops and counts what their warps issue
// and touch; the assembler says how many registers and how much shared memory a block takes. Times are
// those of a launch of many such blocks: the largest of the times that each unit needs alone.

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/qk_norm.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/residual_norm.hpp"
#include "eflow/core/ops/square_error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/trace.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/nn/layers/patch.hpp"
#include "eflow/nn/optim/fused_update.hpp"
#include "eflow/tests/support/cuda/hopper_configs.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;

namespace {

// ---- the machine: H100 SXM5 ---------------------------------------------------------------------

constexpr double kProcessors = 132, kClock = 1.755e9;
constexpr double kMemory = 3.35e12, kLevel2 = 5.5e12;    // bytes per second
constexpr double kTensor = 989e12;                       // bf16, wgmma
constexpr double kWarpTensor = .62;                      // what mma.sync reaches of it
constexpr double kSpecialLanes = 16, kDoubleLanes = 64;  // per processor and cycle
constexpr int kRegisters = 65536, kMostThreads = 2048, kMostBlocks = 32;
constexpr int kShared = 227 << 10, kSharedPerBlock = 1 << 10;  // what the system keeps of each

int resident_blocks(const jit::Resources& r, int threads) {
  const int registers = (r.registers + 7) / 8 * 8;
  return std::min({kMostBlocks, kMostThreads / threads, kRegisters / (registers * threads),
                   (kShared + kSharedPerBlock) / (r.shared + kSharedPerBlock)});
}

struct Limit {
  const char* name;
  double seconds;
};

std::vector<Limit> limits_of(const ptx::Profile& p, int resident) {
  const double cycles = kProcessors * kClock;
  return {{"HBM", p.memory / kMemory},
          {"L2", p.level2 / kLevel2},
          {"L1 and shared", p.level1 / cycles},
          {"issue", p.issue / (4 * cycles)},
          {"special", p.special * 32 / kSpecialLanes / cycles},
          {"f64", p.doubles * 32 / kDoubleLanes / cycles},
          {"tensor", (p.products / kWarpTensor + p.group_products) / kTensor},
          {"latency", p.path / (resident * cycles)}};
}

// ---- the launches -------------------------------------------------------------------------------

using enum DType;
using Tensors = std::vector<Tensor>;

/// An op at a size. Launches of its inputs are not profiled.
struct Case {
  std::string shape;
  std::function<Tensors()> inputs;
  std::function<Tensors(const Tensors&)> run;
  bool gradients = true;
};

Tensor input(const Shape& shape, DType dtype, bool differentiable = true) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.5f + static_cast<float>(i * 7 % 37) / 64;
  const NoGrad off;
  Tensor t = cast(Tensor::from(values, shape), dtype).detach();
  if (differentiable) t.set_requires_grad();
  return t;
}

Tensor token_ids(std::int64_t samples, std::int64_t kept, std::int64_t apart) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < samples * kept; ++i) ids.push_back(i % kept * apart);
  return Tensor::from(ids, {samples, kept});
}

/// Runs the op; then its backward pass, with gradients that are stored as those of a network are.
void run(const Case& c, const Tensors& in) {
  const Tensors out = c.run(in);
  if (!c.gradients) return;
  Tensor total;
  for (const Tensor& y : out) {
    const Tensor part = cast(sum(y * y.detach()), kF32);
    total = total.defined() ? total + part : part;
  }
  backward(total);
}

/// The update of all parameters.
Case update_case() {
  struct State {
    nn::NamedTensors parameters{{"w", input({1024, 1152}, kF32)}},
        averages{{"w", input({1024, 1152}, kF32, false)}};
    nn::AdamW adamw{parameters};
    nn::Ema ema{averages, parameters};
    nn::FusedUpdate update{&adamw, &ema};
  };
  return {"1024 x 1152", [] { return Tensors{}; },
          [](const Tensors&) {
            State state;
            backward(sum(square(state.parameters[0].second)));
            state.update.apply(1e-3, 1, state.update.squared_norm());
            return Tensors{};
          },
          false};
}

std::vector<Case> memory_cases() {
  constexpr std::int64_t kBatch = 2, kTokens = 512, kWidth = 1152, kHeads = 16;
  const Shape x{kBatch, kTokens, kWidth}, row{kBatch, kWidth}, qkv{kBatch, kTokens, 3 * kWidth},
      angles{kTokens, kWidth / kHeads / 2}, heads{kBatch, kTokens, kHeads, kWidth / kHeads};
  const std::string tokens = str(kBatch * kTokens, " x ", kWidth);
  std::vector<Case> cases;
  const auto add = [&](auto inputs, auto op, bool gradients = true) {
    cases.push_back({tokens, inputs, op, gradients});
  };
  const auto inputs_of = [](std::vector<std::pair<Shape, DType>> specs) {
    return [specs] {
      Tensors in;
      for (const auto& [shape, dtype] : specs) in.push_back(input(shape, dtype));
      return in;
    };
  };
  for (const DType dtype : {kBF16, kF32}) {
    add(inputs_of({{x, dtype}, {x, dtype}}),
        [](const Tensors& t) { return Tensors{t[0] + gelu(t[1])}; });
    add(inputs_of({{x, dtype}, {row, dtype}, {row, dtype}}),
        [](const Tensors& t) { return Tensors{modulated_layer_norm(t[0], t[1], t[2], 1e-6)}; });
    add(inputs_of({{x, dtype}}), [](const Tensors& t) { return Tensors{softmax(t[0])}; });
    add(
        [=] {
          return Tensors{input(heads, dtype), input(angles, dtype, false),
                         input(angles, dtype, false)};
        },
        [](const Tensors& t) { return Tensors{rope(t[0], t[1], t[2], kHeads)}; });
    add(inputs_of({{x, dtype}, {{kWidth}, dtype}}), [](const Tensors& t) {
      return Tensors{mul_add(t[0], t[1], t[0]), reshape(sum(t[0], {0, 1}), {kWidth})};
    });
    add(inputs_of({{x, dtype}}), [=](const Tensors& t) {
      return Tensors{gather_tokens(t[0], token_ids(kBatch, kTokens / 4, 4))};
    });
    add(inputs_of({{x, dtype}, {x, dtype}}), [](const Tensors& t) {
      return Tensors{concat({t[0], t[1]}, 2)};
    });
  }
  add(inputs_of({{x, kF32}}), [](const Tensors& t) { return Tensors{cast(t[0], kBF16)}; });
  add(inputs_of({{x, kF32}, {x, kF32}, {row, kF32}, {row, kF32}, {row, kF32}}),
      [](const Tensors& t) {
        const NormedResidual r = residual_norm(t[0], t[1], t[2], t[3], t[4], 1e-6, kBF16);
        return Tensors{r.h, r.normed};
      });
  add(
      [=] {
        return Tensors{input(qkv, kBF16), input({kWidth}, kF32), input({kWidth}, kF32),
                       input(angles, kF32, false), input(angles, kF32, false)};
      },
      [](const Tensors& t) {
        const QkvHeads r = qk_norm_rope(t[0], t[1], t[2], t[3], t[4], kHeads, 1e-6);
        return Tensors{r.q, r.k, r.v};
      });
  add(inputs_of({{{16, 24576}, kF32}, {{16, 24576}, kF32}}),
      [](const Tensors& t) { return Tensors{mean_square_error(t[0], t[1])}; });
  cases.back().shape = "16 x 24576";
  add(
      inputs_of({{{4, 16, 8, 32, 32}, kF32}}),
      [](const Tensors& t) {
        return Tensors{nn::to_patches(t[0], {1, 2, 2})};
      },
      false);
  cases.back().shape = "clips 16 x 8 x 32 x 32 to patches";
  add(
      inputs_of({{{4, 2048, 64}, kF32}}),
      [](const Tensors& t) {
        return Tensors{nn::from_patches(t[0], {1, 2, 2}, {8, 16, 16})};
      },
      false);
  cases.back().shape = "clips 16 x 8 x 32 x 32 from patches";
  cases.push_back(update_case());
  return cases;
}

Case attention_case(DType dtype, std::int64_t head, std::int64_t tokens, std::int64_t radius,
                    int kept_percent) {
  const Shape shape{1, tokens, 1, head};
  return {str(tokens, " tokens, window ", 2 * radius + 1),
          [=] {
            return Tensors{input(shape, dtype), input(shape, dtype),
                           input(shape, dtype), input({1, tokens, 2, 1, 1}, dtype),
                           input({head}, kF32), input({head}, kF32)};
          },
          [=](const Tensors& t) {
            GlgaOptions options{.radius = radius};
            if (kept_percent > 0) {
              options.kept_percent = kept_percent;
              options.positions = token_ids(1, tokens, 100 / kept_percent);
            }
            static_cast<void>(prepare_glga(t[0], t[3], options, true));
            return Tensors{glga(t[0], t[1], t[2], t[3], t[4], t[5], options)};
          }};
}

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  for (const std::int64_t head : {64, 72, 96, 128}) {
    cases.push_back(attention_case(kBF16, head, 512, 128, 0));
    cases.push_back(attention_case(kBF16, head, 512, 512, 25));
  }
  return cases;
}

/// Products without cuBLASLt (kernels_src/gemm/gpu.h), as a linear layer's: C = X W^T.
Case product_case(std::int64_t m, std::int64_t n, std::int64_t k, DType dtype) {
  return {str(m, " x ", n, " x ", k),
          [=] {
            return Tensors{input({m, k}, dtype, false), input({n, k}, dtype, false)};
          },
          [](const Tensors& t) { return Tensors{matmul(t[0], transpose(t[1], 0, 1))}; }, false};
}

std::vector<Case> product_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {kBF16, kF32}) {
    cases.push_back(product_case(512, 512, 384, dtype));
    cases.push_back(product_case(1536, 1536, 384, dtype));
  }
  return cases;
}

// ---- the table ----------------------------------------------------------------------------------

/// Kernel and size.
using Key = std::pair<std::string, std::string>;
using Rows = std::map<Key, test::PtxGpu::Profiled>;

/// Runs a case; of the launches of one kernel, the one that moves most memory stays.
void profile(const test::PtxGpu& gpu, const Case& c, Rows* rows) {
  const Tensors in = c.inputs();
  const auto trace = std::make_shared<Trace>();
  const std::size_t before = gpu.profiles().size();
  default_device()->set_trace(trace);
  run(c, in);
  default_device()->set_trace(nullptr);
  const std::vector<std::string> names = trace->kernel_names();
  EFLOW_ASSERT(names.size() == gpu.profiles().size() - before);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const test::PtxGpu::Profiled& launch = gpu.profiles()[before + i];
    test::PtxGpu::Profiled& row = (*rows)[{names[i], c.shape}];
    if (row.profile.memory < launch.profile.memory) row = launch;
  }
}

/// Tokens, all of which each token meets: what begins and ends a block weighs little.
constexpr std::int64_t kManyTiles = 1024;

/// Attention whose walks use products of warpgroups, with or without bulk copies, in such tiles.
void profile_hopper(const test::PtxGpu& gpu, std::int64_t head, bool bulk,
                    const test::TileSize& tile, Rows* rows) {
  const test::TempDir cache;
  jit::Options options = gpu.options();
  options.cache.named = cache.path();
  options.tune = jit::TuneMode::kLookup;
  const test::DefaultDevice device(make_device(options));
  const GlgaSignature call{.backend = jit::Backend::kCuda,
                           .dtype = kBF16,
                           .head = head,
                           .gates = GlgaGateKind::kRow,
                           .kept = false,
                           .queries = kManyTiles};
  static_cast<void>(test::choose_hopper_configs(default_device()->runtime(), call,
                                                {.radius = kManyTiles}, bulk, tile));
  profile(gpu, attention_case(kBF16, head, kManyTiles, kManyTiles, 0), rows);
}

std::string percent(double share) {
  return str(static_cast<int>(100 * share + .5));
}

/// Below this, a launch shows what starting it costs.
constexpr double kLeastMemory = 256 << 10;

void print(const Rows& rows, jit::KernelBuilder& builder, const std::string& word) {
  std::cout
      << "| kernel | size | registers | shared B | blocks per SM | 16-byte accesses | HBM | L2 "
         "| L1 and shared | issue | special | f64 | tensor | latency | limit |\n"
         "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- "
         "| --- |\n";
  for (const auto& [key, launch] : rows) {
    const auto& [name, shape] = key;
    const ptx::Profile& p = launch.profile;
    if (name.find(word) == std::string::npos || p.memory < kLeastMemory) continue;
    const jit::Built built = builder.build(
        builder.request(jit::parse_kernel(name), {jit::Backend::kCuda, "sm_90a"}), {});
    const jit::Resources& r = built.artifact->resources;
    const int resident = resident_blocks(r, launch.threads);
    const std::vector<Limit> limits = limits_of(p, resident);
    const Limit nearest =
        *std::max_element(limits.begin(), limits.end(),
                          [](const Limit& a, const Limit& b) { return a.seconds < b.seconds; });
    std::cout << "| `" << name << "` | " << shape << " | " << r.registers << " | " << r.shared
              << " | " << resident << " | " << percent(p.wide / std::max(1.0, p.wide + p.narrow));
    for (const Limit& limit : limits)
      std::cout << " | " << percent(limit.seconds / nearest.seconds);
    std::cout << " | " << nearest.name << " |\n";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string word = argc > 1 ? argv[1] : "";
  const test::PtxGpu gpu({.arch = 90, .profiles = true});
  const test::DefaultDevice device(gpu.device());
  jit::KernelBuilder builder(jit::Options::from_environment());
  define_kernels(builder.definitions());
  const auto section = [&](const char* title, Rows rows, std::string_view family) {
    std::erase_if(rows, [&](const auto& row) { return !row.first.first.starts_with(family); });
    std::cout << "## " << title << "\n\n";
    print(rows, builder, word);
    std::cout << '\n';
  };
  const auto rows_of = [&](const std::vector<Case>& cases) {
    Rows rows;
    for (const Case& c : cases) profile(gpu, c, &rows);
    return rows;
  };
  const bool products = word.starts_with("gemm"), attention = word.starts_with("glga");
  if (!products && !attention) section("Kernels that move memory", rows_of(memory_cases()), "");
  if (products || word.empty())
    section("Products without cuBLASLt", rows_of(product_cases()), "gemm");
  if (!attention && !word.empty()) return 0;
  section("Attention", rows_of(attention_cases()), "glga_");
  Rows hopper;
  for (const std::int64_t head : {64, 128}) {
    profile(gpu, attention_case(kBF16, head, kManyTiles, kManyTiles, 0), &hopper);
    profile_hopper(gpu, head, false, {}, &hopper);
    for (const test::TileSize tile : {test::TileSize{}, {64, 32}, {128, 64}})
      profile_hopper(gpu, head, true, tile, &hopper);
  }
  section("Attention of many tiles: by warps; by warpgroups, without and with bulk copies", hopper,
          "glga_");
  return 0;
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}

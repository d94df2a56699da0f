// The attention's forward text as `eflow jit bench` runs it: two specialisations side by side, such as the window compiled in
// and as an argument.

#include <algorithm>
#include <cmath>

#include "eflow/base/error.hpp"
#include "eflow/core/runnable_kernels.hpp"
#include "eflow/jit/specialised_texts.hpp"
#include "eflow/kernels/args/glga.h"

namespace eflow {
namespace {

using jit::Workload;
using Sizes = std::vector<std::int64_t>;

/// Of jit/specialised_texts.hpp.
enum Constant { kHead, kLocal, kGlobal, kGates, kNormed, kRadius, kKept, kRowTile, kKeyTile };
constexpr int kWindowed = 1;

template <class T, class C>
struct Operands {
  std::vector<T> q, k, v, gates;
  std::shared_ptr<std::vector<T>> out;
  std::vector<C> state;
  std::vector<std::int32_t> ranges;
  args::Glga args{};
};

/// Values in [-1, 1) that look irregular.
template <class T>
std::vector<T> values(std::int64_t count, double seed) {
  std::vector<T> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<T>(static_cast<float>(std::sin(seed + 12.9898 * static_cast<double>(i))));
  return out;
}

/// Keys that each token sees where a share of them is kept, evenly.
std::vector<std::int32_t> ranges_of(std::int64_t tokens, std::int64_t radius) {
  std::vector<std::int32_t> out;
  for (std::int64_t i = 0; i < tokens; ++i) {
    out.push_back(static_cast<std::int32_t>(std::max<std::int64_t>(0, i - radius)));
    out.push_back(static_cast<std::int32_t>(std::min(tokens, i + radius + 1)));
  }
  return out;
}

template <class T, class C>
Workload forward_workload(jit::Runtime& runtime, const jit::Spec& spec, const Sizes& sizes) {
  const std::int64_t n = sizes[0], heads = sizes[1], d = spec.constants[kHead];
  const std::int64_t width = heads * d;
  std::int64_t radius = spec.constants[kRadius] < 0 ? sizes[2] : spec.constants[kRadius];
  if (spec.constants[kKept] > 0) radius = radius * spec.constants[kKept] / 100;
  const auto o = std::make_shared<Operands<T, C>>();
  o->q = values<T>(n * width, 1);
  o->k = values<T>(n * width, 2);
  o->v = values<T>(n * width, 3);
  o->gates = values<T>(n * 2 * width, 4);
  o->out = std::make_shared<std::vector<T>>(o->q.size());
  o->state = values<C>(width * d, 5);
  o->ranges = ranges_of(n, radius);
  args::Glga& a = o->args;
  const auto rows = [&](std::vector<T>& x) {
    return args::GlgaRows{x.data(), n * width, width, d};
  };
  a.q = rows(o->q);
  a.k = rows(o->k);
  a.v = rows(o->v);
  a.out = rows(*o->out);
  a.gates = {o->gates.data(), 2 * n * width, 2 * width, width, d};
  a.state = o->state.data();
  a.ranges = o->ranges.data();
  a.scale = 1 / std::sqrt(static_cast<double>(d));
  a.eps = 1e-6;
  a.queries = a.keys = n;
  a.heads = heads;
  a.radius = radius;
  double pairs = 0;
  for (std::size_t i = 0; i < o->ranges.size(); i += 2) pairs += o->ranges[i + 1] - o->ranges[i];
  if (spec.constants[kLocal] != kWindowed)
    pairs = spec.constants[kLocal] == 0 ? 0 : static_cast<double>(n * n);
  const double linear = spec.constants[kGlobal] != 0 ? 2.0 * static_cast<double>(n * width * d) : 0;
  Workload out{.shape = {n, heads, radius},
               .flops = 4 * pairs * static_cast<double>(width) + linear,
               .launch =
                   [&runtime, o](const jit::Spec& now) {
                     const std::int64_t tile = now.constants[kRowTile];
                     runtime.launch("glga_forward", now,
                                    {(o->args.queries + tile - 1) / tile, o->args.heads, 1},
                                    o->args);
                   },
               .clear = {},
               .result = {},
               .tolerance = sizeof(T) == 2 ? 2e-2 : 1e-5};
  use_host_output(out, o->out);
  return out;
}

Workload make_forward(jit::Runtime& runtime, const jit::Spec& spec, const Sizes& sizes) {
  switch (static_cast<DType>(spec.dtypes[0])) {
    case DType::kF32:
      return forward_workload<float, float>(runtime, spec, sizes);
    case DType::kF64:
      return forward_workload<double, double>(runtime, spec, sizes);
    case DType::kBF16:
      return forward_workload<bfloat16, float>(runtime, spec, sizes);
    default:
      throw InvalidArgument(str("[glga] no kernel for ", to_string(spec, "glga_forward"),
                                "; expected f32, f64 or bf16"));
  }
}

}  // namespace

jit::RunnableKernel detail::runnable_glga_forward() {
  const auto* const definition =
      std::find_if(std::begin(jit::kSpecialisedTexts), std::end(jit::kSpecialisedTexts),
                   [](const jit::KernelDefinition& d) { return d.name == "glga_forward"; });
  return {.definition = *definition,
          .sizes = {{"n", 2048}, {"heads", 4}, {"radius", 512}},
          .workload = make_forward};
}

}  // namespace eflow

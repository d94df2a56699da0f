// The glga kernels for `eflow jit tune` and `eflow jit bench`.

#include "eflow/core/attention/tunable_glga.hpp"

#include <algorithm>
#include <limits>

#include "eflow/core/attention/glga_operands.hpp"
#include "eflow/core/attention/glga_tensor_maps.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/core/tensor/op.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow {
namespace {

using detail::GlgaOperands;
using detail::GlgaProblem;
using jit::Workload;
using Sizes = std::vector<std::int64_t>;
using Operands = std::shared_ptr<GlgaOperands>;

/// A glga text: its cost, its launch and its results.
struct Text {
  std::string name;
  double per_pair;    ///< operations per pair of tokens and channel
  double per_square;  ///< operations per token and pair of channels
  /// Launches the text, with a second one if it depends on it.
  void (*launch)(jit::Runtime&, const GlgaProblem&, const GlgaOperands&, const jit::KernelSpec&);
  Tensors (*results)(const GlgaOperands&);
  detail::GlgaTile detail::GlgaTiles::*tile;  ///< its default tile; nullptr for glga_state
};

std::int64_t blocks_of(std::int64_t tokens, std::int64_t tile) {
  return (tokens + tile - 1) / tile;
}

/// Launches one block per tile of `tile` tokens.
void launch_tiles(const char* name, jit::Runtime& runtime, const GlgaProblem& p,
                  const jit::KernelSpec& spec, int tile, args::Glga a) {
  const jit::KernelSpec with = detail::with_tensor_maps(runtime, spec, 1, a);
  runtime.launch(name, with, {blocks_of(p.tokens, tile), p.heads, 1}, a);
}

/// Launches one block per tile of queries.
template <const char* kName>
void launch_rows(jit::Runtime& runtime, const GlgaProblem& p, const GlgaOperands& o,
                 const jit::KernelSpec& spec) {
  launch_tiles(kName, runtime, p, spec, detail::glga_tile(spec).rows, o.args);
}

/// As in inference: the output of the softmax branch is not stored.
void launch_forward(jit::Runtime& runtime, const GlgaProblem& p, const GlgaOperands& o,
                    const jit::KernelSpec& spec) {
  args::Glga a = o.args;
  a.local = {};
  a.lse = nullptr;
  launch_tiles("glga_forward", runtime, p, spec, detail::glga_tile(spec).rows, a);
}

void launch_keys(jit::Runtime& runtime, const GlgaProblem& p, const GlgaOperands& o,
                 const jit::KernelSpec& spec) {
  launch_tiles("glga_keys_grad", runtime, p, spec, detail::glga_tile(spec).keys, o.args);
}

/// Also launches glga_join_grad, with the same tile, which sums the partial dq.
void launch_band(jit::Runtime& runtime, const GlgaProblem& p, const GlgaOperands& o,
                 const jit::KernelSpec& spec) {
  jit::KernelSpec join = spec;
  join.text = jit::text_id("glga_join_grad");
  if (!runtime.has(join)) {
    const jit::Prepared made = runtime.prepare({{"glga_join_grad", join}})[0];
    if (!made.ok()) throw CompileError(made.error);
  }
  const detail::GlgaTile tile = detail::glga_tile(spec);
  const detail::GlgaParts parts =
      detail::glga_parts({p.heads, p.tokens, p.tokens}, p.options, tile);
  const args::Glga a = o.with_parts(parts);
  runtime.launch("glga_band_grad", spec, {parts.count, p.heads, 1}, a);
  runtime.launch("glga_join_grad", join, {blocks_of(p.tokens, tile.rows), p.heads, 1}, a);
}

void launch_state(jit::Runtime& runtime, const GlgaProblem& p, const GlgaOperands& o,
                  const jit::KernelSpec& spec) {
  runtime.launch("glga_state", spec, {o.state_blocks, p.heads, 1}, o.state_args);
}

constexpr char kRowsGrad[] = "glga_rows_grad", kQueriesGrad[] = "glga_queries_grad";

const Text kTexts[] = {
    {"glga_forward", 4, 2, launch_forward, [](const GlgaOperands& o) { return Tensors{o.out}; },
     &detail::GlgaTiles::forward},
    {"glga_state", 0, 2, launch_state, [](const GlgaOperands& o) { return Tensors{o.state_parts}; },
     nullptr},
    {kRowsGrad, 0, 2, launch_rows<kRowsGrad>,
     [](const GlgaOperands& o) {
       return Tensors{o.local_grad, o.global_grad, o.delta};
     },
     &detail::GlgaTiles::rows},
    {kQueriesGrad, 6, 2, launch_rows<kQueriesGrad>,
     [](const GlgaOperands& o) { return Tensors{o.dq}; }, &detail::GlgaTiles::queries},
    {"glga_keys_grad", 8, 4, launch_keys,
     [](const GlgaOperands& o) {
       return Tensors{o.dk, o.dv};
     },
     &detail::GlgaTiles::keys},
    {"glga_band_grad", 10, 6, launch_band,
     [](const GlgaOperands& o) {
       return Tensors{o.dq, o.dk, o.dv};
     },
     &detail::GlgaTiles::walk},
};

Workload workload_of(const Text& text, jit::Runtime& runtime, const jit::KernelSpec& spec,
                     const Sizes& sizes) {
  const GlgaProblem p(runtime.target().backend, text.name, spec, sizes);
  const auto o = std::make_shared<GlgaOperands>(runtime, p);
  const bool walks = text.per_pair > 0;
  const bool linear = p.options.global || text.name == "glga_state";
  const double width = static_cast<double>(p.heads * p.call.head);
  Workload out;
  out.shape = walks ? detail::glga_walk_shape(p.call, p.options) : detail::glga_row_shape(p.call);
  out.flops = width * (text.per_pair * p.pairs() + (linear ? text.per_square : 0) *
                                                       static_cast<double>(p.tokens * p.call.head));
  out.launch = [&runtime, &text, p, o](const jit::KernelSpec& now) {
    text.launch(runtime, p, *o, now);
  };
  out.clear = [&text, o] {
    for (const Tensor& t : text.results(*o))
      t.assign(
          Tensor::full(t.shape(), std::numeric_limits<double>::quiet_NaN(), t.dtype(), t.device()));
  };
  out.result = [&text, o] {
    std::vector<double> all;
    for (const Tensor& t : text.results(*o)) {
      const std::vector<double> values = t.to_vector<double>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  };
  out.tolerance = p.call.dtype == DType::kBF16 ? 2e-2 : 1e-5;
  return out;
}

/// Replaces a tile of 0 in the KernelSpec by the default tile of glga().
jit::KernelSpec with_tile(const Text& text, jit::Backend backend, jit::KernelSpec spec,
                          const Sizes& sizes) {
  const GlgaProblem p(backend, text.name, spec, sizes);
  const detail::GlgaTiles tiles = detail::default_glga_tiles(p.call, p.options);
  if (text.tile == nullptr) {
    if (spec.constants[1] == 0) spec.constants[1] = tiles.state;
    return spec;
  }
  const detail::GlgaTile tile = tiles.*text.tile;
  if (spec.constants[7] == 0) spec.constants[7] = tile.rows;
  if (spec.constants[8] == 0) spec.constants[8] = tile.keys;
  return spec;
}

}  // namespace

std::vector<jit::TunableKernel> detail::tunable_glga() {
  const std::vector<jit::KernelDefinition> definitions = glga_definitions();
  std::vector<jit::TunableKernel> out;
  for (const Text& text : kTexts) {
    const auto definition =
        std::find_if(definitions.begin(), definitions.end(),
                     [&](const jit::KernelDefinition& d) { return d.name == text.name; });
    out.push_back(
        {.definition = *definition,
         .sizes = {{"n", 2048}, {"heads", 4}, {"radius", 512}},
         .workload = [&text](
                         jit::Runtime& runtime, const jit::KernelSpec& spec,
                         const Sizes& sizes) { return workload_of(text, runtime, spec, sizes); },
         .default_config =
             [&text](jit::Backend backend, const jit::KernelSpec& spec, const Sizes& sizes) {
               return with_tile(text, backend, spec, sizes);
             }});
  }
  return out;
}

}  // namespace eflow

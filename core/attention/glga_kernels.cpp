#include "eflow/core/attention/glga_kernels.hpp"

#include <algorithm>
#include <mutex>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow {
namespace detail {

GlgaGateKind glga_gate_kind(const Tensor& q, const Tensor& gates) {
  if (!gates.defined()) return GlgaGateKind::kNone;
  const bool leading = gates.rank() == 5 && gates.size(0) == q.size(0) &&
                       gates.size(1) == q.size(1) && gates.size(2) == 2;
  const bool rows =
      leading && gates.size(4) == 1 && (gates.size(3) == 1 || gates.size(3) == q.size(2));
  const bool channels = leading && gates.size(4) == q.size(3) && gates.size(3) == q.size(2);
  if (!rows && !channels) {
    throw ShapeError(str("[glga] gates are ", gates, ", q is ", q, "; expected [", q.size(0), ", ",
                         q.size(1), ", 2, h, c] with h, c = 1, 1 or ", q.size(2), ", 1 or ",
                         q.size(2), ", ", q.size(3)));
  }
  return rows ? GlgaGateKind::kRow : GlgaGateKind::kChannel;
}

bool GlgaKernels::fits(jit::Backend backend, DType dtype, std::int64_t head) {
  if (head % 8 != 0) return false;
  return head <= 256 && (backend == jit::Backend::kHost || dtype != DType::kF64);
}
bool GlgaKernels::fits(const Tensor& q) {
  return q.count() > 0 && fits(q.device()->runtime().target().backend, q.dtype(), q.size(3));
}

GlgaKernels::GlgaKernels(const GlgaSignature& call, const GlgaOptions& options,
                         jit::Runtime* runtime, bool gradients)
    : global_(options.global) {
  // A GPU has too few registers to accumulate all three gradients of a tile.
  once = options.local != GlgaOptions::Local::kNone && call.backend == jit::Backend::kHost &&
         options.backward_walk != GlgaOptions::Walk::kTwice;
  const GlgaTiles tiles = default_glga_tiles(call, options);
  const auto tuned = [&](bool used, const char* name, const jit::KernelSpec& spec,
                         jit::ShapeBucket shape) {
    return used && runtime != nullptr ? runtime->tuned(name, spec, shape) : spec;
  };
  const jit::ShapeBucket walk_shape = glga_walk_shape(call, options),
                         row_shape = glga_row_shape(call);
  state =
      tuned(global_, "glga_state",
            jit::KernelSpec("glga_state", {call.dtype}, {static_cast<int>(call.head), tiles.state}),
            row_shape);
  forward = tuned(true, "glga_forward", glga_spec("glga_forward", call, options, tiles.forward),
                  walk_shape);
  // rows_grad does not depend on the window, and the passes over the window depend on neither gates
  // nor norms. Normalising these constants lets more calls share a kernel.
  GlgaSignature everywhere = call;
  everywhere.kept = false;
  GlgaOptions anywhere = options;
  anywhere.radius_in_code = false;
  rows = tuned(gradients, "glga_rows_grad",
               glga_spec("glga_rows_grad", everywhere, anywhere, tiles.rows), row_shape);
  GlgaSignature ungated = call;
  ungated.gates = GlgaGateKind::kNone;
  GlgaOptions bare = options;
  bare.normed = false;
  const auto walk = [&](bool used, const char* name, GlgaTile tile) {
    return tuned(gradients && used, name, glga_spec(name, ungated, bare, tile), walk_shape);
  };
  queries = walk(!once, "glga_queries_grad", tiles.queries);
  keys = walk(!once, "glga_keys_grad", tiles.keys);
  band = walk(once, "glga_band_grad", tiles.walk);
  // Parts start at a tile of the band, so both use the same tile.
  join = glga_spec("glga_join_grad", ungated, bare, glga_tile(band));
}

GlgaKernels::GlgaKernels(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
                         bool gradients)
    : GlgaKernels(GlgaSignature{.backend = q.device()->runtime().target().backend,
                                .dtype = q.dtype(),
                                .head = q.size(3),
                                .gates = glga_gate_kind(q, gates),
                                .kept = options.positions.defined(),
                                .queries = q.size(1)},
                  options, &q.device()->runtime(), gradients) {}

std::vector<jit::KernelRef> GlgaKernels::all(bool gradients) const {
  std::vector<jit::KernelRef> out{{"glga_forward", forward}};
  if (global_) out.emplace_back("glga_state", state);
  if (!gradients) return out;
  out.emplace_back("glga_rows_grad", rows);
  if (once) {
    out.emplace_back("glga_band_grad", band);
    out.emplace_back("glga_join_grad", join);
  } else {
    out.emplace_back("glga_queries_grad", queries);
    out.emplace_back("glga_keys_grad", keys);
  }
  return out;
}

bool GlgaKernels::ready(const jit::Runtime& runtime, bool gradients) const {
  const bool forward_ready = runtime.has(forward) && (!global_ || runtime.has(state));
  if (!gradients || !forward_ready) return forward_ready;
  return runtime.has(rows) && (once ? runtime.has(band) && runtime.has(join)
                                    : runtime.has(queries) && runtime.has(keys));
}

GlgaParts glga_parts(const GlgaSizes& sizes, const GlgaOptions& options, GlgaTile tile) {
  // Enough blocks for many threads, but chunks long enough that few queries belong to two of them:
  // each of those is computed twice.
  constexpr std::int64_t kBlocks = 64, kSmallest = 256;
  const auto [heads, queries, keys] = sizes;
  const bool windowed = options.local == GlgaOptions::Local::kWindow;
  const std::int64_t reach = windowed ? std::min(options.radius, keys) : keys;
  const std::int64_t smallest = std::max(kSmallest, std::min(reach, keys / 4));
  const std::int64_t wanted = std::clamp<std::int64_t>((kBlocks + heads - 1) / heads, 1,
                                                       std::max<std::int64_t>(1, keys / smallest));
  GlgaParts out{};
  out.chunk = ((keys + wanted - 1) / wanted + tile.keys - 1) / tile.keys * tile.keys;
  out.count = (keys + out.chunk - 1) / out.chunk;
  // Dropping tokens only reduces the number of tokens within the radius.
  out.rows = windowed ? std::min(queries, out.chunk + 2 * reach) : queries;
  out.rows += tile.rows;  // a part starts at a tile boundary
  return out;
}

}  // namespace detail

std::vector<jit::KernelRef> glga_kernels(const GlgaSignature& call, const GlgaOptions& options,
                                         bool gradients) {
  if (!detail::GlgaKernels::fits(call.backend, call.dtype, call.head)) return {};
  return detail::GlgaKernels(call, options, nullptr, gradients).all(gradients);
}

bool prepare_glga(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
                  bool gradients) {
  if (!detail::GlgaKernels::fits(q)) return false;
  const detail::GlgaKernels kernels(q, gates, options, gradients);
  jit::Runtime& runtime = q.device()->runtime();
  if (kernels.ready(runtime, gradients)) return true;
  for (const jit::Prepared& made : runtime.prepare(kernels.all(gradients))) {
    if (made.ok()) continue;
    static std::once_flag said;
    std::call_once(said, [&] {
      log_warning("[glga] fused kernels are unavailable, using slower elementary ops: ",
                  made.error);
    });
    return false;
  }
  return true;
}

}  // namespace eflow

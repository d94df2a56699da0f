#include "eflow/core/ops/glga_kernels.hpp"

#include <algorithm>
#include <mutex>

#include "eflow/base/error.hpp"
#include "eflow/base/log.hpp"
#include "eflow/core/device.hpp"
#include "eflow/jit/specialised_texts.hpp"

namespace eflow {
namespace detail {
namespace {

constexpr int kStateTile = 64, kGpuStateTile = 32;
/// Up to so many keys a query walks in small tiles: of large ones too much would lie outside its window.
constexpr std::int64_t kFewKeys = 192;

/// How many keys a query in the middle sees, about; all of them counts as many.
std::int64_t keys_seen(const GlgaSignature& call, const GlgaOptions& o) {
  if (o.local != GlgaOptions::Local::kWindow) return kFewKeys + 1;
  const std::int64_t span = 2 * std::min<std::int64_t>(o.radius, 1 << 30) + 1;
  return call.kept ? span * std::clamp(o.kept_percent, 1, 100) / 100 : span;
}

jit::Spec spec_of(std::string_view name, const GlgaSignature& call, const GlgaOptions& o,
                  GlgaTile tile) {
  const bool kept = o.local == GlgaOptions::Local::kWindow && call.kept;
  // Kept tokens find their window in a table; a window that covers everything is an argument too, for its constant
  // would not fit.
  const bool radius_in_code = o.local == GlgaOptions::Local::kWindow && o.radius_in_code && !kept &&
                              o.radius < (std::int64_t{1} << 31);
  return jit::Spec(name, {call.dtype},
                   {static_cast<int>(call.head), static_cast<int>(o.local), o.global ? 1 : 0,
                    static_cast<int>(call.gates), o.normed ? 1 : 0,
                    radius_in_code ? static_cast<int>(o.radius) : -1,
                    kept ? std::clamp(o.kept_percent, 1, 100) : 0, tile.rows, tile.keys});
}

}  // namespace

GlgaGateKind glga_gate_kind(const Tensor& q, const Tensor& gates) {
  if (!gates.defined()) return GlgaGateKind::kNone;
  const bool leading = gates.rank() == 5 && gates.size(0) == q.size(0) &&
                       gates.size(1) == q.size(1) && gates.size(2) == 2;
  const bool rows =
      leading && gates.size(4) == 1 && (gates.size(3) == 1 || gates.size(3) == q.size(2));
  const bool channels = leading && gates.size(4) == q.size(3) && gates.size(3) == q.size(2);
  if (!rows && !channels) {
    throw ShapeError(str("[glga] gates are ", gates, " beside q ", q, "; expected [", q.size(0),
                         ", ", q.size(1), ", 2, h, c] with h, c = 1, 1 or ", q.size(2), ", 1 or ",
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

namespace {

void choose_cpu_tiles(GlgaKernels& k, const GlgaSignature& call, const GlgaOptions& options) {
  k.rows_tile = {64, 64};
  k.walk_tile = keys_seen(call, options) <= kFewKeys ? GlgaTile{32, 32} : k.rows_tile;
  k.forward_tile = k.queries_tile = k.keys_tile = k.walk_tile;
}

/// Shared memory of sm_89 and sm_120, 99 KiB, less what rows_grad has beside what it asks for.
constexpr std::int64_t kLeastShared = (99 << 10) - 2048;

/// Of tiles whose rows are `across` and whose steps are `along`, the first of these that fits: a thread has registers for one
/// tile of sums of a wide head and a few scores.
template <class MakeSpec>
GlgaTile first_that_fits(std::int64_t (*bytes)(const jit::Spec&), MakeSpec&& spec) {
  constexpr int kRows[] = {64, 48, 32, 16}, kSteps[] = {32, 16};
  for (const int rows : kRows) {
    for (const int step : kSteps) {
      if (bytes(spec(rows, step)) <= kLeastShared) return {rows, step};
    }
  }
  return {16, 16};
}

/// Of a head of more than 128 channels.
void choose_wide_gpu_tiles(GlgaKernels& k, const GlgaSignature& call, const GlgaOptions& o) {
  namespace bytes = jit::detail;
  const auto by_rows = [&](int rows, int step) { return spec_of("", call, o, {rows, step}); };
  const auto by_keys = [&](int rows, int step) { return spec_of("", call, o, {step, rows}); };
  k.forward_tile = first_that_fits(bytes::glga_forward_bytes, by_rows);
  k.queries_tile = first_that_fits(bytes::glga_queries_grad_bytes, by_rows);
  k.rows_tile = {first_that_fits(bytes::glga_rows_grad_bytes, by_rows).rows, 64};
  const GlgaTile keys = first_that_fits(bytes::glga_keys_grad_bytes, by_keys);
  k.keys_tile = {keys.keys, keys.rows};
  k.walk_tile = k.rows_tile;
}

/// A block has four warps of 16 rows, and a thread 255 registers: keys_grad holds two tiles of sums of the head's width
/// beside two of scores. What all take fits kLeastShared, half of what sm_80 has.
void choose_gpu_tiles(GlgaKernels& k, DType dtype, std::int64_t head) {
  const bool wide = dtype == DType::kF32;
  k.forward_tile = k.rows_tile = k.queries_tile = k.keys_tile = k.walk_tile = {64, 64};
  if (head > 64 || wide) k.keys_tile = {32, 64};
  if (head > 96 || wide) k.queries_tile = {64, 32};
  if (wide) k.forward_tile = {64, 32};
  if (wide && head > 64) {
    k.forward_tile = {64, 16};
    k.rows_tile = {32, 64};
    k.queries_tile = {32, 16};
    k.keys_tile = {16, 32};
  }
}

}  // namespace

GlgaKernels::GlgaKernels(const GlgaSignature& call, const GlgaOptions& options)
    : global_(options.global) {
  const bool cpu = call.backend == jit::Backend::kHost;
  // A GPU has too few registers for all three gradients of a tile.
  once = options.local != GlgaOptions::Local::kNone && cpu &&
         options.backward_walk != GlgaOptions::Walk::kTwice;
  if (cpu)
    choose_cpu_tiles(*this, call, options);
  else if (call.head > 128)
    choose_wide_gpu_tiles(*this, call, options);
  else
    choose_gpu_tiles(*this, call.dtype, call.head);
  const auto state_spec = [&](int tile) {
    return jit::Spec("glga_state", {call.dtype}, {static_cast<int>(call.head), tile});
  };
  state = state_spec(cpu ? kStateTile : kGpuStateTile);
  if (!cpu && jit::detail::glga_state_bytes(state) > kLeastShared)
    state = state_spec(kGpuStateTile / 2);
  forward = spec_of("glga_forward", call, options, forward_tile);
  // No window appears here, neither gates nor norms in the walks: fewer kernels serve all.
  GlgaSignature everywhere = call;
  everywhere.kept = false;
  GlgaOptions anywhere = options;
  anywhere.radius_in_code = false;
  rows = spec_of("glga_rows_grad", everywhere, anywhere, rows_tile);
  GlgaSignature ungated = call;
  ungated.gates = GlgaGateKind::kNone;
  GlgaOptions bare = options;
  bare.normed = false;
  queries = spec_of("glga_queries_grad", ungated, bare, queries_tile);
  keys = spec_of("glga_keys_grad", ungated, bare, keys_tile);
  band = spec_of("glga_band_grad", ungated, bare, walk_tile);
  join = spec_of("glga_join_grad", ungated, bare, walk_tile);
}

GlgaKernels::GlgaKernels(const Tensor& q, const Tensor& gates, const GlgaOptions& options)
    : GlgaKernels(GlgaSignature{.backend = q.device()->runtime().target().backend,
                                .dtype = q.dtype(),
                                .head = q.size(3),
                                .gates = glga_gate_kind(q, gates),
                                .kept = options.positions.defined()},
                  options) {}

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

GlgaParts glga_parts(const Tensor& q, const Tensor& k, const GlgaOptions& options, GlgaTile tile) {
  // Enough blocks for many threads, but few queries that two chunks share: their sums are made twice.
  constexpr std::int64_t kBlocks = 64, kSmallest = 256;
  const std::int64_t keys = k.size(1), queries = q.size(1);
  const bool windowed = options.local == GlgaOptions::Local::kWindow;
  const std::int64_t reach = windowed ? std::min(options.radius, keys) : keys;
  const std::int64_t smallest = std::max(kSmallest, std::min(reach, keys / 4));
  const std::int64_t heads = q.size(0) * q.size(2);
  const std::int64_t wanted = std::clamp<std::int64_t>((kBlocks + heads - 1) / heads, 1,
                                                       std::max<std::int64_t>(1, keys / smallest));
  GlgaParts out{};
  out.chunk = ((keys + wanted - 1) / wanted + tile.keys - 1) / tile.keys * tile.keys;
  out.count = (keys + out.chunk - 1) / out.chunk;
  // Kept tokens within a radius are never more than places within it.
  out.rows = windowed ? std::min(queries, out.chunk + 2 * reach) : queries;
  out.rows += tile.rows;  // the first row is that of a tile
  return out;
}

}  // namespace detail

std::vector<jit::KernelRef> glga_kernels(const GlgaSignature& call, const GlgaOptions& options,
                                         bool gradients) {
  if (!detail::GlgaKernels::fits(call.backend, call.dtype, call.head)) return {};
  return detail::GlgaKernels(call, options).all(gradients);
}

bool prepare_glga(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
                  bool gradients) {
  if (!detail::GlgaKernels::fits(q)) return false;
  const detail::GlgaKernels kernels(q, gates, options);
  jit::Runtime& runtime = q.device()->runtime();
  if (kernels.ready(runtime, gradients)) return true;
  for (const jit::Prepared& made : runtime.prepare(kernels.all(gradients))) {
    if (made.ok()) continue;
    static std::once_flag said;
    std::call_once(said, [&] {
      log_warning("[glga] no fused kernel, plain ops compute the same more slowly: ", made.error);
    });
    return false;
  }
  return true;
}

}  // namespace eflow

#include "eflow/core/attention/glga_tiles.hpp"

#include <algorithm>

#include "eflow/core/attention/glga_shared_memory.hpp"

namespace eflow::detail {
namespace {

using Local = GlgaOptions::Local;

/// Windows of at most kFewKeys use small tiles, and only those of at least kManyKeys large ones: too
/// much of a large tile would be outside a short window.
constexpr std::int64_t kFewKeys = 192, kManyKeys = 768;
/// Shared memory per block on sm_89 and sm_120, the smallest of the targets; and static shared
/// memory of glga_rows_grad.
constexpr std::int64_t kLeastShared = 99 << 10, kSharedSums = 2048;

/// Returns the approximate number of keys in a window that is not cut off by an end of the raster.
std::int64_t keys_in_window(const GlgaSignature& call, const GlgaOptions& o) {
  const std::int64_t span = 2 * std::min<std::int64_t>(o.radius, 1 << 30) + 1;
  return call.kept ? span * std::clamp(o.kept_percent, 1, 100) / 100 : span;
}

GlgaTiles cpu_tiles(const GlgaSignature& call, const GlgaOptions& o) {
  const bool window = o.local == Local::kWindow;
  const bool few = window && keys_in_window(call, o) <= kFewKeys;
  // Each tile of queries packs the keys again.
  const bool many = window && keys_in_window(call, o) >= kManyKeys && call.head <= 128;
  const GlgaTile rows{64, 64}, walk = few ? GlgaTile{32, 32} : rows;
  return {many ? GlgaTile{128, 128} : walk, rows, walk, walk, walk, 64};
}

/// A block has four warps of 16 rows, and a thread 255 registers: glga_keys_grad holds two tiles of
/// sums of the head's width and two tiles of scores in them. Every tile's shared memory fits in
/// kLeastShared.
GlgaTiles gpu_tiles(DType dtype, std::int64_t head) {
  const bool exact = dtype == DType::kF32;
  if (exact && head > 64) return {{64, 16}, {32, 64}, {32, 16}, {16, 32}, {32, 64}, 32};
  GlgaTiles out{{64, 64}, {64, 64}, {64, 64}, {64, 64}, {64, 64}, 32};
  if (head > 48) out.keys = {48, 64};
  if (head > 64 || exact) out.keys = {32, 64};
  if (head > 96) out.keys = {16, 64};
  if (head > 96 || exact) out.queries = {64, 32};
  if (exact) out.forward = {64, 32};
  return out;
}

/// Returns the first candidate tile whose shared memory fits in `room`.
template <class MakeSpec>
GlgaTile first_that_fits(std::int64_t (*bytes_of)(const jit::KernelSpec&), MakeSpec&& spec,
                         std::int64_t room = kLeastShared) {
  constexpr int kRows[] = {64, 48, 32, 16}, kSteps[] = {32, 16};
  for (const int rows : kRows) {
    for (const int step : kSteps) {
      if (bytes_of(spec(rows, step)) <= room) return {rows, step};
    }
  }
  return {16, 16};
}

/// For wide heads a thread has registers for one tile of sums and a few scores only; tiles are
/// limited by shared memory.
GlgaTiles wide_gpu_tiles(const GlgaSignature& call, const GlgaOptions& o) {
  const auto by_rows = [&](int rows, int step) { return glga_spec("", call, o, {rows, step}); };
  const auto by_keys = [&](int rows, int step) { return glga_spec("", call, o, {step, rows}); };
  GlgaTiles out{};
  out.forward = first_that_fits(glga_forward_bytes, by_rows);
  out.queries = first_that_fits(glga_queries_grad_bytes, by_rows);
  out.rows = {first_that_fits(glga_rows_grad_bytes, by_rows, kLeastShared - kSharedSums).rows, 64};
  const GlgaTile keys = first_that_fits(glga_keys_grad_bytes, by_keys);
  out.keys = {keys.keys, keys.rows};
  out.walk = out.rows;
  const jit::KernelSpec state("glga_state", {call.dtype}, {static_cast<int>(call.head), 32});
  out.state = glga_state_bytes(state) <= kLeastShared ? 32 : 16;
  return out;
}

}  // namespace

jit::KernelSpec glga_spec(std::string_view name, const GlgaSignature& call, const GlgaOptions& o,
                          GlgaTile tile) {
  const bool kept = o.local == GlgaOptions::Local::kWindow && call.kept;
  // The radius is an argument if tokens were dropped (their windows are in a table), or if it does
  // not fit in an int.
  const bool radius_in_code = o.local == GlgaOptions::Local::kWindow && o.radius_in_code && !kept &&
                              o.radius < (std::int64_t{1} << 31);
  return jit::KernelSpec(name, {call.dtype},
                         {static_cast<int>(call.head), static_cast<int>(o.local), o.global ? 1 : 0,
                          static_cast<int>(call.gates), o.normed ? 1 : 0,
                          radius_in_code ? static_cast<int>(o.radius) : -1,
                          kept ? std::clamp(o.kept_percent, 1, 100) : 0, tile.rows, tile.keys});
}

GlgaTile glga_tile(const jit::KernelSpec& spec) {
  return {spec.constants[GlgaConstant::kRows], spec.constants[GlgaConstant::kKeys]};
}

GlgaTiles default_glga_tiles(const GlgaSignature& call, const GlgaOptions& o) {
  if (call.backend == jit::Backend::kHost) return cpu_tiles(call, o);
  return call.head > GlgaFootprint::kWidestPair ? wide_gpu_tiles(call, o)
                                                : gpu_tiles(call.dtype, call.head);
}

jit::ShapeBucket glga_walk_shape(const GlgaSignature& call, const GlgaOptions& o) {
  const std::int64_t seen =
      o.local == Local::kWindow ? std::min(call.queries, keys_in_window(call, o)) : 0;
  return {call.queries, seen};
}
jit::ShapeBucket glga_row_shape(const GlgaSignature& call) {
  return {call.queries};
}

}  // namespace eflow::detail

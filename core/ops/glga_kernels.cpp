#include "eflow/core/ops/glga_kernels.hpp"

#include <algorithm>
#include <mutex>

#include "eflow/base/error.hpp"
#include "eflow/base/log.hpp"
#include "eflow/core/device.hpp"

namespace eflow {
namespace detail {
namespace {

constexpr int kStateTile = 128;

jit::Spec spec_of(std::string_view name, DType dtype, std::int64_t head, GlgaGateKind gates,
                  const GlgaOptions& o, GlgaTile tile) {
  const bool kept = o.local == GlgaOptions::Local::kWindow && o.positions.defined();
  // Kept tokens find their window in a table; a window that covers everything is an argument too, for its constant
  // would not fit.
  const bool radius_in_code = o.local == GlgaOptions::Local::kWindow && o.radius_in_code && !kept &&
                              o.radius < (std::int64_t{1} << 31);
  return jit::Spec(
      name, {dtype},
      {static_cast<int>(head), static_cast<int>(o.local), o.global ? 1 : 0, static_cast<int>(gates),
       o.normed ? 1 : 0, radius_in_code ? static_cast<int>(o.radius) : -1,
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

bool GlgaKernels::fits(const Tensor& q) {
  return q.size(3) % 8 == 0 && q.size(3) <= 256 && q.count() > 0;
}

GlgaKernels::GlgaKernels(DType dtype, std::int64_t head, GlgaGateKind gates,
                         const GlgaOptions& options)
    : forward_tile{64, 64},
      rows_tile{64, 64},
      queries_tile{64, 64},
      keys_tile{64, 64},
      global_(options.global) {
  state = jit::Spec("glga_state", {dtype}, {static_cast<int>(head), kStateTile});
  forward = spec_of("glga_forward", dtype, head, gates, options, forward_tile);
  rows = spec_of("glga_rows_grad", dtype, head, gates, options, rows_tile);
  // Neither gates nor norms appear in the other two.
  GlgaOptions bare = options;
  bare.normed = false;
  queries = spec_of("glga_queries_grad", dtype, head, GlgaGateKind::kNone, bare, queries_tile);
  keys = spec_of("glga_keys_grad", dtype, head, GlgaGateKind::kNone, bare, keys_tile);
}

std::vector<jit::KernelRef> GlgaKernels::all(bool gradients) const {
  std::vector<jit::KernelRef> out{{"glga_forward", forward}};
  if (global_) out.emplace_back("glga_state", state);
  if (gradients) {
    out.emplace_back("glga_rows_grad", rows);
    out.emplace_back("glga_queries_grad", queries);
    out.emplace_back("glga_keys_grad", keys);
  }
  return out;
}

bool GlgaKernels::ready(const jit::Runtime& runtime, bool gradients) const {
  const bool forward_ready = runtime.has(forward) && (!global_ || runtime.has(state));
  return forward_ready &&
         (!gradients || (runtime.has(rows) && runtime.has(queries) && runtime.has(keys)));
}

}  // namespace detail

bool prepare_glga(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
                  bool gradients) {
  if (!detail::GlgaKernels::fits(q)) return false;
  const detail::GlgaKernels kernels(q.dtype(), q.size(3), detail::glga_gate_kind(q, gates),
                                    options);
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

// GLGA as one op on the glga_*.h texts. Forward: partial sums of the linear branch's state, their
// sum, then one block per tile of queries. Backward: gradients through gates and norms, the
// gradient of the state, then either one pass over chunks of keys with partial sums of dq, or one
// pass for dq by tiles of queries and one for dk and dv by tiles of keys. Every value has one
// writer and a fixed order of additions, so results do not depend on threads.

#include "eflow/core/attention/glga.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/attention/glga_kernels.hpp"
#include "eflow/core/attention/glga_samples.hpp"
#include "eflow/core/attention/glga_tensor_maps.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/partials.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/core/tensor/weight_copy.hpp"
#include "eflow/kernels_src/args/glga.h"

namespace eflow {
namespace {

using detail::GlgaGateKind;
using detail::GlgaKernels;
using Local = GlgaOptions::Local;

/// Indices of the inputs.
enum Input { kQ, kK, kV, kGates, kGlobalWeight, kLocalWeight };
/// Indices of the saved tensors that follow the inputs.
enum Saved { kLocalOut = 6, kLse, kState, kRanges };

/// Tokens per partial sum of the state, and the maximum number of partial sums: enough blocks for
/// many threads even with few heads. The split depends only on the number of tokens, so results do
/// not depend on threads.
constexpr std::int64_t kChunk = 1024, kMostSplits = 16;

void* data_or_null(const Tensor& x) {
  return x.defined() ? x.data() : nullptr;
}

/// Returns x, copied if the channels of a head are not adjacent. Other strides are arbitrary.
Tensor with_channels(const Tensor& x) {
  return !x.defined() || x.strides()[-1] == 1 || x.size(-1) == 1 ? x : contiguous(x);
}

/// A norm's weight in the dtype of q.
Tensor norm_weight(const Tensor& weight, const Tensor& q) {
  return weight.defined() ? detail::weight_in(weight, q.dtype()) : Tensor();
}

args::GlgaRows rows_of(const Tensor& x) {
  if (!x.defined()) return {};
  return {x.data(), x.strides()[0], x.strides()[1], x.strides()[2]};
}

args::GlgaGates gates_of(const Tensor& x) {
  if (!x.defined()) return {};
  const Strides& s = x.strides();
  return {x.data(), s[0], s[1], s[2], x.size(3) == 1 ? 0 : s[3]};
}

/// Returns, for each token, the range of tokens within the radius: [B, N, 2] i32. Undefined unless
/// there is a window and tokens were dropped.
Tensor ranges_of(const GlgaOptions& options) {
  if (options.local != Local::kWindow || !options.positions.defined()) return {};
  const Tensor positions = contiguous(options.positions);
  const std::int64_t samples = positions.size(0), tokens = positions.size(1);
  const Tensor out = Tensor::empty({samples, tokens, 2}, DType::kI32, positions.device());
  args::WindowRanges a{};
  a.positions = static_cast<const long long*>(positions.data());
  a.ranges = static_cast<int*>(out.data());
  a.tokens = tokens;
  a.radius = options.radius;
  constexpr std::int64_t kPerBlock = 256;  // kRangesPerBlock of the text
  positions.device()->launch("window_ranges", jit::KernelSpec("window_ranges", {}),
                             {detail::blocks(tokens, kPerBlock), samples}, a);
  return out;
}

/// Returns scale sum_i x_i^T y_i for each head: [B, H, d, d] in the accumulator's dtype.
Tensor state_of(const jit::KernelSpec& spec, const Tensor& x, const Tensor& y, double scale) {
  const std::int64_t samples = x.size(0), tokens = x.size(1), heads = x.size(2), d = x.size(3);
  const std::int64_t splits = std::clamp<std::int64_t>(tokens / kChunk, 1, kMostSplits);
  const Tensor parts =
      Tensor::empty({samples, heads, splits, d, d}, accumulator_of(x.dtype()), x.device());
  args::GlgaState a{};
  a.x = rows_of(x);
  a.y = rows_of(y);
  a.parts = parts.data();
  a.scale = scale;
  a.tokens = tokens;
  a.heads = heads;
  a.splits = splits;
  a.chunk = (tokens + splits - 1) / splits;
  constexpr std::int64_t kStateRows = 128;  // kStateRows of the text
  x.device()->launch("glga_state", spec, {splits * detail::blocks(d, kStateRows), heads, samples},
                     a);
  return splits == 1 ? reshape(parts, {samples, heads, d, d}) : sum(parts, {2});
}

/// Returns the arguments that all texts share.
args::Glga common_args(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                       const GlgaOptions& options) {
  args::Glga a{};
  a.q = rows_of(q);
  a.k = rows_of(k);
  a.v = rows_of(v);
  a.gates = gates_of(gates);
  a.scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  a.eps = options.eps;
  a.queries = q.size(1);
  a.keys = k.size(1);
  a.heads = q.size(2);
  a.radius = options.radius;
  return a;
}

/// Returns the grid of one block per tile of `tile` tokens, head and sample of x.
jit::Grid grid_of(const Tensor& x, int tile) {
  return {detail::blocks(x.size(1), tile), x.size(2), x.size(0)};
}
/// Launches a text that iterates over the window. Each block owns a tile of x.
void launch_walk(const char* name, const jit::KernelSpec& spec, const Tensor& x, int tile,
                 args::Glga a) {
  const jit::KernelSpec with = detail::with_tensor_maps(x.device()->runtime(), spec, x.size(0), a);
  x.device()->launch(name, with, grid_of(x, tile), a);
}
int rows_of_tile(const jit::KernelSpec& spec) {
  return detail::glga_tile(spec).rows;
}

std::vector<TensorSpec> infer(std::span<const Tensor> x, const GlgaOptions& options) {
  detail::require_glga(x[kQ], x[kK], x[kV], x[kGates], x[kGlobalWeight], x[kLocalWeight], options);
  return {{x[kQ].shape(), x[kQ].dtype()}};
}

void forward(Call<GlgaOptions>& call) {
  const NoGrad off;
  const GlgaOptions& o = call.attrs;
  const Tensor q = with_channels(call.inputs[kQ]), k = with_channels(call.inputs[kK]),
               v = with_channels(call.inputs[kV]), gates = with_channels(call.inputs[kGates]);
  const Tensor weights[] = {with_channels(call.inputs[kGlobalWeight]),
                            with_channels(call.inputs[kLocalWeight])};
  const GlgaKernels kernels(q, gates, o, call.recording);
  const DType sums = accumulator_of(q.dtype());
  const bool keep_local = call.recording && o.local != Local::kNone;

  Tensor state, local, lse;
  if (o.global) state = state_of(kernels.state, k, v, 1 / static_cast<double>(k.size(1)));
  const bool is_output = !o.global && !o.normed && !gates.defined();
  if (keep_local) {
    local = is_output ? call.outputs[0] : Tensor::empty(q.shape(), q.dtype(), q.device());
    lse = Tensor::empty({q.size(0), q.size(2), q.size(1)}, sums, q.device());
  }
  const Tensor ranges = ranges_of(o);
  args::Glga a = common_args(q, k, v, gates, o);
  a.out = rows_of(call.outputs[0]);
  if (!is_output) a.local = rows_of(local);
  a.lse = data_or_null(lse);
  a.state = data_or_null(state);
  const Tensor norms[] = {norm_weight(weights[0], q), norm_weight(weights[1], q)};
  for (int i = 0; i < 2; ++i) a.weights[i] = data_or_null(norms[i]);
  a.ranges = static_cast<const int*>(data_or_null(ranges));
  launch_walk("glga_forward", kernels.forward, q, rows_of_tile(kernels.forward), a);
  for (const Tensor& t : {q, k, v, gates, weights[0], weights[1], local, lse, state, ranges})
    call.save(t);
}

/// Sums partial sums [B, tiles, 2, H, d] to the gradient of each branch's norm weight.
class WeightGrads {
 public:
  explicit WeightGrads(const Tensor& partials)
      : partials_(partials),
        // So many sums may be split, depending on their number: each branch alone then, so that the
        // order of additions stays that of one branch.
        together_(partials.defined() && partials.size(0) * partials.size(1) < detail::kMayBeSplit),
        sums_(together_ ? sum(partials, {0, 1}) : Tensor()) {}

  [[nodiscard]] Tensor of(int branch, const TensorSpec& spec) const {
    const Tensor own =
        together_ ? narrow(sums_, 0, branch, 1) : sum(narrow(partials_, 2, branch, 1), {0, 1});
    return cast(reshape(own, spec.shape), spec.dtype);
  }

 private:
  Tensor partials_;
  bool together_;
  Tensor sums_;
};

/// Reduces per-head gradients [B, N, 2, H, width] to the shape of the gate logits.
Tensor gate_grad(const Tensor& per_head, const TensorSpec& spec) {
  const Tensor all = spec.shape[3] == 1 ? sum(per_head, {3}, true) : per_head;
  return cast(reshape(all, spec.shape), spec.dtype);
}

/// Computes dq, and dk and dv, if their pointers in `a` are set: one pass for each.
void walk_twice(const GlgaKernels& kernels, const Tensor& q, const Tensor& k, const args::Glga& a) {
  if (a.dq.p != nullptr)
    launch_walk("glga_queries_grad", kernels.queries, q, rows_of_tile(kernels.queries), a);
  if (a.dk.p != nullptr)
    launch_walk("glga_keys_grad", kernels.keys, k, detail::glga_tile(kernels.keys).keys, a);
}

/// Computes dq, dk and dv in one pass if a.dq is set.
void walk_once(const GlgaKernels& kernels, const Tensor& q, const Tensor& k, const GlgaOptions& o,
               args::Glga a) {
  if (a.dq.p == nullptr) return;
  const detail::GlgaParts parts = detail::glga_parts({q.size(0) * q.size(2), q.size(1), k.size(1)},
                                                     o, detail::glga_tile(kernels.band));
  const Tensor sums = Tensor::empty({q.size(0), q.size(2), parts.count, parts.rows, q.size(3)},
                                    accumulator_of(q.dtype()), q.device());
  a.parts = sums.data();
  a.chunk = parts.chunk;
  a.part_rows = parts.rows;
  const DevicePtr& device = q.device();
  device->launch("glga_band_grad", kernels.band, {parts.count, q.size(2), q.size(0)}, a);
  device->launch("glga_join_grad", kernels.join, grid_of(q, rows_of_tile(kernels.join)), a);
}

Tensors vjp(const Call<GlgaOptions>& call, std::span<const Tensor> dys) {
  const GlgaOptions& o = call.attrs;
  const Tensors& saved = call.saved;
  const Tensor &q = saved[kQ], &k = saved[kK], &v = saved[kV], &gates = saved[kGates];
  const GlgaKernels kernels(q, gates, o, true);
  const DType sums = accumulator_of(q.dtype());
  const DevicePtr& device = q.device();
  const Tensor dy = with_channels(dys[0]);
  const bool softmax = o.local != Local::kNone;
  const jit::Grid row_grid = grid_of(q, rows_of_tile(kernels.rows));
  const auto like = [&](const Tensor& x, bool wanted) {
    return wanted ? Tensor::empty(x.shape(), x.dtype(), device) : Tensor();
  };

  // Gradients of both branches before their norms, of the gates and of the norm weights.
  const Tensor d_global = like(q, o.global), d_local = like(q, softmax);
  const Tensor delta = like(saved[kLse], softmax);
  Tensor d_gates, d_weights;
  if (call.needs[kGates]) {
    const std::int64_t width = gates.size(4);
    const Shape shape{q.size(0), q.size(1), 2, q.size(2), width};
    // The kernel does not write the gate gradient of a disabled branch: it must be zero.
    d_gates = o.global && softmax ? Tensor::empty(shape, sums, device)
                                  : Tensor::zeros(shape, sums, device);
  }
  if (call.needs[kGlobalWeight] || call.needs[kLocalWeight]) {
    d_weights = Tensor::empty({q.size(0), row_grid.x, 2, q.size(2), q.size(3)}, sums, device);
  }
  args::Glga a = common_args(q, k, v, gates, o);
  a.out = rows_of(dy);
  a.local = rows_of(saved[kLocalOut]);
  a.lse = data_or_null(saved[kLse]);
  a.state = data_or_null(saved[kState]);
  a.ranges = static_cast<const int*>(data_or_null(saved[kRanges]));
  const Tensor norms[] = {norm_weight(saved[kGlobalWeight], q),
                          norm_weight(saved[kLocalWeight], q)};
  for (int i = 0; i < 2; ++i) a.weights[i] = data_or_null(norms[i]);
  a.d_global = rows_of(d_global);
  a.d_local = rows_of(d_local);
  a.delta = data_or_null(delta);
  a.d_gates = data_or_null(d_gates);
  a.d_weights = data_or_null(d_weights);
  device->launch("glga_rows_grad", kernels.rows, row_grid, a);

  Tensors out(6);
  if (call.needs[kGates]) out[kGates] = gate_grad(d_gates, call.in[kGates]);
  const WeightGrads weights(d_weights);
  if (call.needs[kGlobalWeight] && o.global && o.normed)
    out[kGlobalWeight] = weights.of(0, call.in[kGlobalWeight]);
  if (call.needs[kLocalWeight] && softmax && o.normed)
    out[kLocalWeight] = weights.of(1, call.in[kLocalWeight]);
  const bool wants_keys = call.needs[kK] || call.needs[kV];
  if (call.needs[kQ] || (wants_keys && kernels.once)) out[kQ] = like(q, true);
  if (wants_keys || (call.needs[kQ] && kernels.once)) {
    out[kK] = like(k, true);
    out[kV] = like(v, true);
  }
  Tensor d_state;
  if (o.global && out[kK].defined())
    d_state = state_of(kernels.state, q, d_global, 1 / static_cast<double>(k.size(1)));
  a.d_state = data_or_null(d_state);
  a.dq = rows_of(out[kQ]);
  a.dk = rows_of(out[kK]);
  a.dv = rows_of(out[kV]);
  if (kernels.once)
    walk_once(kernels, q, k, o, a);
  else
    walk_twice(kernels, q, k, a);
  for (const int input : {kQ, kK, kV}) {
    if (!call.needs[input]) out[input] = Tensor();
  }
  return out;
}

constexpr OpDef<GlgaOptions> kGlga{"glga", infer, forward, vjp, detail::glga_samples};

void require_weight(const Tensor& q, const Tensor& weight) {
  if (!weight.defined()) return;
  if (q.dtype() != DType::kBF16 || weight.dtype() != DType::kF32)
    detail::require_same_dtype("glga", {q, weight});
  const Shape expected{q.size(2) * q.size(3)};
  if (weight.shape() != expected)
    throw ShapeError(str("[glga] the norm weight is ", weight, "; expected ", expected));
}

}  // namespace

void detail::require_glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                          const Tensor& global_weight, const Tensor& local_weight,
                          const GlgaOptions& o) {
  static_cast<void>(floating_dtype(q, "glga"));
  require_same_dtype("glga", {q, k, v, gates});
  const bool ranks = q.rank() == 4 && k.rank() == 4 && k.shape() == v.shape();
  if (!ranks || q.size(0) != k.size(0) || q.size(2) != k.size(2) || q.size(3) != k.size(3)) {
    throw ShapeError(str("[glga] q is ", q, ", k is ", k, ", v is ", v,
                         "; expected [B, Nq, H, d], [B, Nk, H, d], [B, Nk, H, d]"));
  }
  if (k.size(1) == 0) throw ShapeError(str("[glga] no keys: k is ", k));
  static_cast<void>(glga_gate_kind(q, gates));
  require_weight(q, global_weight);
  require_weight(q, local_weight);
  if (o.local == Local::kNone && !o.global)
    throw InvalidArgument(
        "[glga] both branches are disabled; enable options.global or options.local");
  if (o.local != Local::kWindow) return;
  if (q.size(1) != k.size(1)) {
    throw ShapeError(
        str("[glga] a window requires as many queries as keys; q is ", q, ", k is ", k));
  }
  if (o.radius < 0)
    throw InvalidArgument(str("[glga] window radius ", o.radius, "; expected 0 or more"));
  const Tensor& at = o.positions;
  if (at.defined() && (at.dtype() != DType::kI64 || at.shape() != Shape{q.size(0), q.size(1)})) {
    throw ShapeError(
        str("[glga] positions are ", at, "; expected [", q.size(0), ", ", q.size(1), "] i64"));
  }
  detail::require_positions_near("glga", at, q);
}

Tensor glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
            const Tensor& global_weight, const Tensor& local_weight, const GlgaOptions& options) {
  detail::require_glga(q, k, v, gates, global_weight, local_weight, options);
  const Tensor inputs[] = {q, k, v, gates, global_weight, local_weight};
  bool recording = false;
  for (const Tensor& t : inputs) recording = recording || (t.defined() && t.requires_grad());
  recording = recording && grad_enabled();
  const bool fused =
      GlgaKernels::fits(q) &&
      GlgaKernels(q, gates, options, recording).ready(q.device()->runtime(), recording);
  if (!fused) return glga_composition(q, k, v, gates, global_weight, local_weight, options);
  return apply(kGlga, std::span<const Tensor>(inputs), options)[0];
}

std::vector<OpEntry> detail::glga_ops() {
  return {entry_of(kGlga)};
}

}  // namespace eflow

// Gated residual and AdaLN norm in one op. Its gradient adds the gradients of the stream and of its
// norm and sums those of gate, scale and shift over the tokens in the same pass.

#include "eflow/core/ops/residual_norm.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/partials.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/kernels_src/args/residual_norm.h"

namespace eflow {
namespace {

struct ResidualNormAttrs {
  double eps = 0;
  std::optional<DType> out = {};
};
enum Input { kX, kY, kGate, kScale, kShift };
enum Saved { kH, kBranch, kGateRows, kScaleRows, kMean, kRstd };

std::vector<TensorSpec> infer(std::span<const Tensor> t, const ResidualNormAttrs& attrs) {
  const Tensor& x = t[kX];
  const DType dtype = detail::floating_dtype(x, "residual_norm");
  if (x.rank() != 3 || x.size(2) == 0)
    throw ShapeError(str("[residual_norm] x is ", x, "; expected [B, N, D], D > 0"));
  if (t[kY].shape() != x.shape())
    throw ShapeError(str("[residual_norm] y is ", t[kY], ", x is ", x, "; expected one shape"));
  const Shape rows{x.size(0), x.size(2)};
  for (const Tensor& m : t.subspan(kGate)) {
    if (m.shape() != rows)
      throw ShapeError(str("[residual_norm] modulation ", m, " for x ", x, "; expected ", rows));
  }
  detail::require_same_dtype("residual_norm", {x, t[kY], t[kGate], t[kScale], t[kShift]});
  const DType out = attrs.out.value_or(dtype);
  if (out != dtype && !(dtype == DType::kF32 && out == DType::kBF16)) {
    throw InvalidArgument(str("[residual_norm] the norm of x ", x, " cannot be ", out,
                              "; expected ", dtype, dtype == DType::kF32 ? " or bf16" : ""));
  }
  return {{x.shape(), dtype}, {x.shape(), out}};
}

jit::KernelSpec spec_of(const char* text, DType stream, DType normed) {
  return jit::KernelSpec(text, {stream, normed});
}

void* data_or_null(const Tensor& t) {
  return t.defined() ? t.data() : nullptr;
}

void forward(Call<ResidualNormAttrs>& call) {
  const NoGrad off;
  const Tensor& x = call.inputs[kX];
  const DevicePtr& device = x.device();
  const std::int64_t batches = x.size(0), rows = x.size(1), width = x.size(2);
  if (batches * rows == 0) return;
  const detail::Rows xs = detail::rows_of(x), ys = detail::rows_of(call.inputs[kY]),
                     gate = detail::rows_of(call.inputs[kGate]),
                     scale = detail::rows_of(call.inputs[kScale]),
                     shift = detail::rows_of(call.inputs[kShift]);
  const Tensor &h = call.outputs[0], &normed = call.outputs[1];
  Tensor mean, rstd;
  if (call.recording) {
    mean = Tensor::empty({batches * rows, 1}, accumulator_of(x.dtype()), device);
    rstd = Tensor::empty({batches * rows, 1}, accumulator_of(x.dtype()), device);
  }
  args::ResidualNorm a{};
  a.x = xs.x.data();
  a.y = ys.x.data();
  a.gate = gate.x.data();
  a.h = h.data();
  a.x_stride = xs.stride;
  a.y_stride = ys.stride;
  a.gate_stride = gate.stride;
  a.norm.x = h.data();
  a.norm.y = normed.data();
  a.norm.factor = scale.x.data();
  a.norm.offset = shift.x.data();
  a.norm.mean = data_or_null(mean);
  a.norm.rstd = data_or_null(rstd);
  a.norm.base = 1;
  a.norm.eps = call.attrs.eps;
  a.norm.rows = rows;
  a.norm.groups = 1;
  a.norm.width = width;
  a.norm.x_stride = width;
  a.norm.factor_stride = scale.stride;
  a.norm.offset_stride = shift.stride;
  a.norm.rows_per_block = detail::rows_per_partial(*device, width);
  device->launch("residual_norm", spec_of("residual_norm", x.dtype(), normed.dtype()),
                 {detail::blocks(rows, a.norm.rows_per_block), batches}, a);
  for (const Tensor& t : {h, ys.x, gate.x, scale.x, mean, rstd}) call.save(t);
}

Tensors vjp(const Call<ResidualNormAttrs>& call, std::span<const Tensor> dys) {
  const TensorSpec& in = call.in[kX];
  const DevicePtr& device = (dys[0].defined() ? dys[0] : dys[1]).device();
  const std::int64_t batches = in.shape[0], rows = in.shape[1], width = in.shape[2];
  const DType sums = accumulator_of(in.dtype);
  Tensors out(5);
  if (batches * rows == 0) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = Tensor::zeros(call.in[i].shape, call.in[i].dtype, device);
    return out;
  }
  const DType normed = call.attrs.out.value_or(in.dtype);
  const detail::Rows y = detail::rows_of(call.saved[kBranch]),
                     gate = detail::rows_of(call.saved[kGateRows]),
                     scale = detail::rows_of(call.saved[kScaleRows]);
  const detail::Rows dn =
      detail::rows_of(dys[1].defined() ? dys[1] : Tensor::zeros(in.shape, normed, device));
  const detail::Rows dh = dys[0].defined() ? detail::rows_of(dys[0]) : detail::Rows{};
  const Tensor dx = Tensor::empty(in.shape, in.dtype, device),
               dy = Tensor::empty(in.shape, in.dtype, device);
  args::ResidualNormGrad a{};
  a.norm.rows_per_block = detail::rows_per_partial(*device, width);
  const std::int64_t parts = detail::blocks(rows, a.norm.rows_per_block);
  // On the CPU the gradient of the gate is summed as that of a product is, in the same order.
  const bool sums_gate = !device->on_host() && call.needs[kGate];
  const bool sums_norm = call.needs[kScale] || call.needs[kShift];
  const Tensor partials =
      sums_gate || sums_norm
          ? Tensor::empty({sums_gate ? 3 : 2, batches, parts, width}, sums, device)
          : Tensor();
  const auto partial = [&](int kind) -> void* {
    if (!partials.defined() || (kind == 2 && !sums_gate)) return nullptr;
    return narrow(partials, 0, kind, 1).data();
  };
  a.y = y.x.data();
  a.y_stride = y.stride;
  a.gate = gate.x.data();
  a.gate_stride = gate.stride;
  a.dh = data_or_null(dh.x);
  a.dh_stride = dh.stride;
  a.dy = dy.data();
  a.dgate = partial(2);
  a.norm.x = call.saved[kH].data();
  a.norm.x_stride = width;
  a.norm.dy = dn.x.data();
  a.norm.dy_stride = dn.stride;
  a.norm.factor = scale.x.data();
  a.norm.factor_stride = scale.stride;
  a.norm.mean = call.saved[kMean].data();
  a.norm.rstd = call.saved[kRstd].data();
  a.norm.dx = dx.data();
  a.norm.dfactor = partial(0);
  a.norm.doffset = partial(1);
  a.norm.base = 1;
  a.norm.rows = rows;
  a.norm.groups = 1;
  a.norm.width = width;
  device->launch("residual_norm_grad", spec_of("residual_norm_grad", in.dtype, normed),
                 {parts, batches}, a);
  if (call.needs[kX]) out[kX] = dx;
  if (call.needs[kY]) out[kY] = dy;
  const auto put = [&](Input input, const Tensor& gradient) {
    const auto i = static_cast<std::size_t>(input);
    if (call.needs[i]) out[i] = cast(reshape(gradient, call.in[i].shape), call.in[i].dtype);
  };
  if (partials.defined()) {
    const Tensors totals = detail::sum_partials(partials);
    put(kScale, totals[0]);
    put(kShift, totals[1]);
    if (sums_gate) put(kGate, totals[2]);
  }
  if (call.needs[kGate] && !sums_gate)
    put(kGate, detail::sum_product_to(dx, call.saved[kBranch], {batches, 1, width}));
  return out;
}

constexpr double kEps = 1e-5;

constexpr OpDef<ResidualNormAttrs> kResidualNorm{
    "residual_norm", infer, forward, vjp, []() -> std::vector<Sample> {
      const auto composition = [](const Tensors& t) -> Tensors {
        const Shape row{t[kX].size(0), 1, t[kX].size(2)};
        const Tensor h = mul_add(reshape(t[kGate], row), t[kY], t[kX]);
        return {h, modulated_layer_norm(h, t[kScale], t[kShift], kEps)};
      };
      const auto run = [](const Tensors& t) -> Tensors {
        const NormedResidual r = residual_norm(t[0], t[1], t[2], t[3], t[4], kEps);
        return {r.h, r.normed};
      };
      std::vector<Sample> out;
      for (const Shape& shape :
           {Shape{2, 3, 5}, Shape{1, 1, 16}, Shape{3, 40, 17}, Shape{2, 300, 18}}) {
        const Shape d{shape[0], shape[2]};
        out.push_back({str(shape), {{shape}, {shape}, {d}, {d}, {d}}, run, composition});
      }
      out.push_back(
          {"only the norm is used, rows of wider tensors",
           {{{2, 4, 12}}, {{2, 4, 6}}, {{2, 6}}, {{2, 12}}},
           [](const Tensors& t) {
             const Tensors m = split(t[3], {6, 6}, 1);
             return Tensors{
                 residual_norm(narrow(t[0], 2, 3, 6), t[1], t[2], m[0], m[1], kEps).normed};
           },
           [composition](const Tensors& t) {
             const Tensors m = split(t[3], {6, 6}, 1);
             return Tensors{composition({narrow(t[0], 2, 3, 6), t[1], t[2], m[0], m[1]})[1]};
           }});
      out.push_back({"only the stream is used",
                     {{{2, 4, 6}}, {{2, 4, 6}}, {{2, 6}}, {{2, 6}}, {{2, 6}}},
                     [run](const Tensors& t) { return Tensors{run(t)[0]}; }});
      return out;
    }};

}  // namespace

NormedResidual residual_norm(const Tensor& x, const Tensor& y, const Tensor& gate,
                             const Tensor& scale, const Tensor& shift, double eps,
                             std::optional<DType> out) {
  const Tensors t = apply(kResidualNorm, {x, y, gate, scale, shift}, ResidualNormAttrs{eps, out});
  return {t[0], t[1]};
}

std::vector<OpEntry> detail::residual_norm_ops() {
  return {entry_of(kResidualNorm)};
}

}  // namespace eflow

// Layer norm, AdaLN and RMS norm. One pair of kernel texts (kernels_src/norm.h) implements them.
// They differ in whether rows are centred, in how many groups a row is divided into, and in whether
// factor and offset belong to a sample or to all rows.

#include "eflow/kernels_src/args/norm.h"

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/partials.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

struct NormAttrs {
  bool centred = true;     ///< whether the mean is subtracted
  bool modulated = false;  ///< factor is 1 + scale, and factor and offset are per sample
  int groups = 1;
  double eps = 0;
  std::optional<DType> out = {};  ///< by default that of x
};

/// x as [batches, rows, groups * width].
struct Geometry {
  std::int64_t batches, rows, groups, width, per_block;

  Geometry(const Device& device, const Shape& x, const NormAttrs& attrs)
      : batches(attrs.modulated ? x[0] : 1),
        rows(attrs.modulated ? x[1] : element_count(x) / x[-1]),
        groups(attrs.groups),
        width(x[-1] / attrs.groups),
        per_block(detail::rows_per_partial(device, x[-1])) {}

  [[nodiscard]] jit::Grid grid() const { return {detail::blocks(rows, per_block), batches}; }
  [[nodiscard]] bool empty() const { return batches * rows == 0; }
};

/// parameter: factor or offset, which have one dtype; undefined if there is neither.
jit::KernelSpec spec_of(const char* text, const Tensor& x, DType y, const Tensor& parameter,
                        const NormAttrs& attrs) {
  return jit::KernelSpec(text, {x.dtype(), y, (parameter.defined() ? parameter : x).dtype()},
                         {attrs.centred ? 1 : 0});
}

void* data_or_null(const Tensor& t) {
  return t.defined() ? t.data() : nullptr;
}

/// Inputs: x, factor or undefined, offset or undefined. Saves x, factor, mean, rstd.
void forward_norm(Call<NormAttrs>& call) {
  const NormAttrs& attrs = call.attrs;
  const Tensor& x = call.inputs[0];
  const Geometry at(*x.device(), x.shape(), attrs);
  if (at.empty()) return;
  const detail::Rows rows = detail::rows_of(x);
  args::Norm a{};
  a.x = rows.x.data();
  a.y = call.outputs[0].data();
  a.base = attrs.modulated || !call.inputs[1].defined() ? 1 : 0;
  a.eps = attrs.eps;
  a.rows = at.rows;
  a.groups = at.groups;
  a.width = at.width;
  a.x_stride = rows.stride;
  a.rows_per_block = at.per_block;
  detail::Rows factor, offset;
  if (call.inputs[1].defined()) {
    factor = detail::rows_of(call.inputs[1]);
    a.factor = factor.x.data();
    a.factor_stride = attrs.modulated ? factor.stride : 0;
  }
  if (call.inputs.size() > 2 && call.inputs[2].defined()) {
    offset = detail::rows_of(call.inputs[2]);
    a.offset = offset.x.data();
    a.offset_stride = attrs.modulated ? offset.stride : 0;
  }
  Tensor mean, rstd;
  if (call.recording) {
    const Shape statistics{at.batches * at.rows, at.groups};
    rstd = Tensor::empty(statistics, accumulator_of(x.dtype()), x.device());
    if (attrs.centred) mean = Tensor::empty(statistics, accumulator_of(x.dtype()), x.device());
    a.mean = data_or_null(mean);
    a.rstd = rstd.data();
  }
  const Tensor& parameter = factor.x.defined() ? factor.x : offset.x;
  x.device()->launch("norm", spec_of("norm", x, call.outputs[0].dtype(), parameter, attrs),
                     at.grid(), a);
  call.save(rows.x);
  call.save(factor.x);
  call.save(mean);
  call.save(rstd);
}

Tensors vjp_norm(const Call<NormAttrs>& call, std::span<const Tensor> dys) {
  const NormAttrs& attrs = call.attrs;
  const TensorSpec& in = call.in[0];
  const DevicePtr& device = dys[0].device();
  const Geometry at(*device, in.shape, attrs);
  Tensors out(call.in.size());
  if (at.empty()) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (call.needs[i]) out[i] = Tensor::zeros(call.in[i].shape, call.in[i].dtype, device);
    }
    return out;
  }
  const detail::Rows x = detail::rows_of(call.saved[0]), dy = detail::rows_of(dys[0]);
  args::NormGrad a{};
  a.x = x.x.data();
  a.x_stride = x.stride;
  a.dy = dy.x.data();
  a.dy_stride = dy.stride;
  a.factor = data_or_null(call.saved[1]);
  a.factor_stride = attrs.modulated && a.factor ? detail::rows_of(call.saved[1]).stride : 0;
  a.mean = data_or_null(call.saved[2]);
  a.rstd = call.saved[3].data();
  a.base = attrs.modulated || !a.factor ? 1 : 0;
  a.rows = at.rows;
  a.groups = at.groups;
  a.width = at.width;
  a.rows_per_block = at.per_block;
  const auto wanted = [&](std::size_t i) { return i < call.needs.size() && call.needs[i]; };
  const std::int64_t kinds = (wanted(1) ? 1 : 0) + (wanted(2) ? 1 : 0);
  const Tensor partials =
      kinds > 0 ? Tensor::empty({kinds, at.batches, at.grid().x, at.groups * at.width},
                                accumulator_of(in.dtype), device)
                : Tensor();
  if (call.needs[0]) out[0] = Tensor::empty(in.shape, in.dtype, device);
  a.dx = data_or_null(out[0]);
  if (wanted(1)) a.dfactor = partials.data();
  if (wanted(2)) a.doffset = narrow(partials, 0, kinds - 1, 1).data();
  device->launch("norm_grad", spec_of("norm_grad", x.x, dy.x.dtype(), call.saved[1], attrs),
                 at.grid(), a);
  if (kinds == 0) return out;
  const Tensors totals = detail::sum_partials(partials);
  const auto put = [&](std::size_t i, const Tensor& total) {
    out[i] = cast(reshape(total, call.in[i].shape), call.in[i].dtype);
  };
  if (wanted(1)) put(1, totals.front());
  if (wanted(2)) put(2, totals.back());
  return out;
}

/// Checks x, and factor and offset if defined: [D], or [B, D] if modulated.
TensorSpec infer_norm(std::span<const Tensor> x, const NormAttrs& attrs, std::string_view op) {
  const DType dtype = detail::floating_dtype(x[0], op);
  if (x[0].rank() < 1 || x[0].size(-1) == 0 || (attrs.modulated && x[0].rank() != 3)) {
    throw ShapeError(str("[", op, "] x is ", x[0], "; expected ",
                         attrs.modulated ? "[B, N, D]" : "[..., D]", ", D > 0"));
  }
  if (attrs.groups < 1 || x[0].size(-1) % attrs.groups != 0) {
    throw ShapeError(
        str("[", op, "] ", attrs.groups, " groups do not divide the last axis of ", x[0]));
  }
  const Shape expected =
      attrs.modulated ? Shape{x[0].size(0), x[0].size(-1)} : Shape{x[0].size(-1)};
  for (const Tensor& t : x.subspan(1)) {
    if (t.defined() && t.shape() != expected) {
      throw ShapeError(str("[", op, "] parameter ", t, " for x ", x[0], "; expected ", expected));
    }
    const bool master =
        !attrs.centred && dtype == DType::kBF16 && t.defined() && t.dtype() == DType::kF32;
    if (t.defined() && !master) detail::require_same_dtype(op, {x[0], t});
  }
  const DType out = attrs.out.value_or(dtype);
  if (out != dtype && !(attrs.centred && dtype == DType::kF32 && out == DType::kBF16)) {
    throw InvalidArgument(str("[", op, "] the result for x ", x[0], " cannot be ", out,
                              "; expected ", dtype, dtype == DType::kF32 ? " or bf16" : ""));
  }
  return {x[0].shape(), out};
}

// ---- layer norm ---------------------------------------------------------------------------------

constexpr double kEps = 1e-5;

Tensor plain_layer_norm(const Tensor& x) {
  const Tensor centred = x - mean(x, {-1}, true);
  return centred * rsqrt(mean(square(centred), {-1}, true) + kEps);
}

constexpr OpDef<NormAttrs> kLayerNorm{
    "layer_norm",
    [](std::span<const Tensor> x, const NormAttrs& attrs) -> std::vector<TensorSpec> {
      return {infer_norm(x, attrs, "layer_norm")};
    },
    forward_norm, vjp_norm,
    []() -> std::vector<Sample> {
      std::vector<Sample> out;
      for (const Shape& shape : {Shape{3, 5}, Shape{1, 37}, Shape{2, 19, 8}, Shape{600, 33}}) {
        const Shape d{shape[-1]};
        out.push_back(
            {str("weight and bias, ", shape),
             {{shape}, {d, 0.5, 1.5}, {d}},
             [](const Tensors& x) { return Tensors{layer_norm(x[0], x[1], x[2], kEps)}; },
             [](const Tensors& x) { return Tensors{plain_layer_norm(x[0]) * x[1] + x[2]}; }});
      }
      out.push_back({"bare",
                     {{{4, 7}}},
                     [](const Tensors& x) { return Tensors{layer_norm(x[0], {}, {}, kEps)}; },
                     [](const Tensors& x) { return Tensors{plain_layer_norm(x[0])}; }});
      out.push_back({"bias alone, rows of a wider tensor",
                     {{{3, 24}}, {{8}}},
                     [](const Tensors& x) {
                       return Tensors{layer_norm(narrow(x[0], 1, 8, 8), {}, x[1], kEps)};
                     },
                     [](const Tensors& x) {
                       return Tensors{plain_layer_norm(narrow(x[0], 1, 8, 8)) + x[1]};
                     }});
      return out;
    }};

// ---- AdaLN --------------------------------------------------------------------------------------

Tensor plain_modulated(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  const Shape one{x.size(0), 1, x.size(2)};
  return plain_layer_norm(x) * (reshape(scale, one) + 1.0) + reshape(shift, one);
}

constexpr OpDef<NormAttrs> kModulatedLayerNorm{
    "modulated_layer_norm",
    [](std::span<const Tensor> x, const NormAttrs& attrs) -> std::vector<TensorSpec> {
      return {infer_norm(x, attrs, "modulated_layer_norm")};
    },
    forward_norm, vjp_norm,
    []() -> std::vector<Sample> {
      std::vector<Sample> out;
      for (const Shape& shape :
           {Shape{2, 3, 5}, Shape{1, 1, 16}, Shape{3, 40, 17}, Shape{2, 300, 18}}) {
        const Shape d{shape[0], shape[2]};
        out.push_back(
            {str(shape),
             {{shape}, {d}, {d}},
             [](const Tensors& x) { return Tensors{modulated_layer_norm(x[0], x[1], x[2], kEps)}; },
             [](const Tensors& x) { return Tensors{plain_modulated(x[0], x[1], x[2])}; }});
      }
      out.push_back({"scale and shift out of one table",
                     {{{2, 4, 6}}, {{2, 12}}},
                     [](const Tensors& x) {
                       const Tensors m = split(x[1], {6, 6}, 1);
                       return Tensors{modulated_layer_norm(x[0], m[0], m[1], kEps)};
                     },
                     [](const Tensors& x) {
                       const Tensors m = split(x[1], {6, 6}, 1);
                       return Tensors{plain_modulated(x[0], m[0], m[1])};
                     }});
      return out;
    }};

// ---- RMS norm -----------------------------------------------------------------------------------

Tensor plain_rms_norm(const Tensor& x, int groups) {
  const Tensor parts = reshape(x, {x.count() / x.size(-1), groups, x.size(-1) / groups});
  return reshape(parts * rsqrt(mean(square(parts), {-1}, true) + kEps), x.shape());
}

constexpr OpDef<NormAttrs> kRmsNorm{
    "rms_norm",
    [](std::span<const Tensor> x, const NormAttrs& attrs) -> std::vector<TensorSpec> {
      return {infer_norm(x, attrs, "rms_norm")};
    },
    forward_norm, vjp_norm,
    []() -> std::vector<Sample> {
      std::vector<Sample> out;
      const std::pair<Shape, int> cases[] = {
          {{3, 5}, 1}, {{1, 37}, 1}, {{2, 7, 24}, 3}, {{700, 20}, 2}, {{4, 32}, 2}};
      for (const auto& [shape, groups] : cases) {
        out.push_back(
            {str("weight, ", shape, " in ", groups),
             {{shape}, {{shape[-1]}, 0.5, 1.5}},
             [g = groups](const Tensors& x) { return Tensors{rms_norm(x[0], x[1], g, kEps)}; },
             [g = groups](const Tensors& x) { return Tensors{plain_rms_norm(x[0], g) * x[1]}; }});
      }
      out.push_back(
          {"bare, the middle of a wider row",
           {{{2, 3, 36}}},
           [](const Tensors& x) { return Tensors{rms_norm(narrow(x[0], 2, 12, 12), {}, 2, kEps)}; },
           [](const Tensors& x) { return Tensors{plain_rms_norm(narrow(x[0], 2, 12, 12), 2)}; }});
      return out;
    }};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                  std::optional<DType> out) {
  return apply(kLayerNorm, {x, weight, bias}, NormAttrs{true, false, 1, eps, out})[0];
}
Tensor modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps,
                            std::optional<DType> out) {
  return apply(kModulatedLayerNorm, {x, scale, shift}, NormAttrs{true, true, 1, eps, out})[0];
}
Tensor rms_norm(const Tensor& x, const Tensor& weight, int groups, double eps) {
  return apply(kRmsNorm, {x, weight}, NormAttrs{false, false, groups, eps})[0];
}

std::vector<OpEntry> detail::norm_ops() {
  return {entry_of(kLayerNorm), entry_of(kModulatedLayerNorm), entry_of(kRmsNorm)};
}

}  // namespace eflow

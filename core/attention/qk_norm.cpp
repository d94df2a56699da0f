// RMS norm and rotary position embedding of q and k, out of the product that holds q, k and v. Its
// gradient writes the gradient of the whole product, so nothing has to be joined.

#include "eflow/kernels_src/args/qk_norm.h"

#include <algorithm>

#include "eflow/core/attention/qk_norm.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/partials.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

struct QkNormAttrs {
  int heads = 1;
  double eps = 0;
};
enum Input { kQkv, kQWeight, kKWeight, kCos, kSin };
enum Saved { kX, kQw, kKw, kC, kS, kRstd };

void check(std::span<const Tensor> t, const QkNormAttrs& attrs) {
  const Tensor &x = t[kQkv], &cos = t[kCos], &sin = t[kSin];
  const DType dtype = detail::floating_dtype(x, "qk_norm_rope");
  if (x.rank() != 3 || attrs.heads < 1 || x.size(2) == 0 || x.size(2) % (6 * attrs.heads) != 0) {
    throw ShapeError(str("[qk_norm_rope] qkv is ", x,
                         "; expected [B, N, 3 H d] with H = ", attrs.heads, ", d even"));
  }
  const std::int64_t width = x.size(2) / 3, half = width / attrs.heads / 2;
  for (const Input i : {kQWeight, kKWeight}) {
    const Tensor& weight = t[static_cast<std::size_t>(i)];
    if (!weight.defined() || weight.shape() != Shape{width})
      throw ShapeError(
          str("[qk_norm_rope] weight ", weight, " for qkv ", x, "; expected [", width, "]"));
  }
  for (const Tensor& table : {cos, sin}) {
    if (table.shape() != Shape{x.size(1), half} &&
        table.shape() != Shape{x.size(0), x.size(1), half}) {
      throw ShapeError(str("[qk_norm_rope] table ", table, " for qkv ", x,
                           "; expected [N, d/2] or [B, N, d/2], d/2 = ", half));
    }
  }
  if (cos.shape() != sin.shape())
    throw ShapeError(str("[qk_norm_rope] cos ", cos, " and sin ", sin, " differ"));
  const Tensor& weight = t[kQWeight];
  detail::require_same_dtype("qk_norm_rope", {weight, t[kKWeight], cos, sin});
  if (dtype != DType::kBF16 || weight.dtype() != DType::kF32)
    detail::require_same_dtype("qk_norm_rope", {x, weight});
}

jit::KernelSpec spec_of(const char* text, const Tensor& x, const Tensor& weight,
                        const Tensor& table) {
  return jit::KernelSpec(text, {x.dtype(), weight.dtype(), table.dtype()});
}

void forward(Call<QkNormAttrs>& call) {
  const NoGrad off;
  check(call.inputs, call.attrs);
  const Tensor& qkv = call.inputs[kQkv];
  const detail::Rows rows = detail::rows_of(qkv);
  const std::int64_t batch = qkv.size(0), tokens = qkv.size(1), width = qkv.size(2) / 3,
                     heads = call.attrs.heads;
  const Shape shape{batch, tokens, heads, width / heads};
  Tensor weights[2], q[2];
  for (int i = 0; i < 2; ++i) {
    weights[i] = contiguous(call.inputs[static_cast<std::size_t>(kQWeight + i)]);
    q[i] = Tensor::empty(shape, qkv.dtype(), qkv.device());
  }
  const Tensor cos = contiguous(call.inputs[kCos]), sin = contiguous(call.inputs[kSin]);
  // A view of the input itself, so that the op's result keeps its memory alive.
  const Tensor v = qkv.view(
      shape,
      {qkv.strides()[0], qkv.strides()[1], width / heads * qkv.strides()[2], qkv.strides()[2]},
      2 * width * qkv.strides()[2]);
  Tensor rstd;
  if (call.recording)
    rstd = Tensor::empty({2, rows.count}, accumulator_of(qkv.dtype()), qkv.device());
  if (rows.count > 0) {
    args::QkNorm a{};
    a.x = rows.x.data();
    for (int i = 0; i < 2; ++i) {
      a.y[i] = q[i].data();
      a.weight[i] = weights[i].data();
    }
    a.rstd = rstd.defined() ? rstd.data() : nullptr;
    a.cos = cos.data();
    a.sin = sin.data();
    a.eps = call.attrs.eps;
    a.rows = rows.count;
    a.table_rows = cos.count() / cos.size(-1);
    a.heads = heads;
    a.half = cos.size(-1);
    a.x_stride = rows.stride;
    a.rows_per_block = detail::rows_per_partial(*qkv.device(), width);
    qkv.device()->launch("qk_norm", spec_of("qk_norm", qkv, weights[0], cos),
                         {detail::blocks(a.rows, a.rows_per_block), 2}, a);
  }
  call.outputs = {q[0], q[1], v};
  for (const Tensor& t : {rows.x, weights[0], weights[1], cos, sin, rstd}) call.save(t);
}

Tensors vjp(const Call<QkNormAttrs>& call, std::span<const Tensor> dys) {
  const TensorSpec& in = call.in[kQkv];
  const Tensor& some =
      *std::find_if(dys.begin(), dys.end(), [](const Tensor& t) { return t.defined(); });
  const DevicePtr& device = some.device();
  const detail::Rows x = detail::rows_of(call.saved[kX]);
  const std::int64_t width = in.shape[2] / 3, heads = call.attrs.heads;
  Tensors out(call.in.size());
  const std::int64_t rows_per_block = detail::rows_per_partial(*device, width),
                     parts = detail::blocks(x.count, rows_per_block);
  const bool wants_weights = call.needs[kQWeight] || call.needs[kKWeight];
  out[kQkv] = Tensor::empty(in.shape, in.dtype, device);
  Tensor sums;  // partial sums of the weights' gradients
  if (x.count > 0) {
    if (wants_weights) sums = Tensor::empty({2, 1, parts, width}, accumulator_of(in.dtype), device);
    args::QkNormGrad a{};
    detail::Rows dy[3];
    a.x = x.x.data();
    for (std::size_t i = 0; i < 3; ++i) {
      const Shape shape{in.shape[0], in.shape[1], heads, width / heads};
      dy[i] =
          detail::rows_of(dys[i].defined() ? dys[i] : Tensor::zeros(shape, in.dtype, device), 2);
      a.dy[i] = dy[i].x.data();
      a.dy_stride[i] = dy[i].stride;
    }
    for (std::size_t i = 0; i < 2; ++i) a.weight[i] = call.saved[kQw + i].data();
    a.rstd = call.saved[kRstd].data();
    a.cos = call.saved[kC].data();
    a.sin = call.saved[kS].data();
    a.dx = out[kQkv].data();
    a.dweight = sums.defined() ? sums.data() : nullptr;
    a.rows = x.count;
    a.table_rows = call.saved[kC].count() / call.saved[kC].size(-1);
    a.heads = heads;
    a.half = call.saved[kC].size(-1);
    a.x_stride = x.stride;
    a.rows_per_block = rows_per_block;
    device->launch("qk_norm_grad",
                   spec_of("qk_norm_grad", call.saved[kX], call.saved[kQw], call.saved[kC]),
                   {parts, 3}, a);
  }
  const Tensors totals = sums.defined() ? detail::sum_partials(sums) : Tensors();
  for (std::size_t i = 0; i < 2; ++i) {
    const TensorSpec& weight = call.in[kQWeight + i];
    if (!call.needs[kQWeight + i]) continue;
    out[kQWeight + i] = totals.empty() ? Tensor::zeros(weight.shape, weight.dtype, device)
                                       : cast(reshape(totals[i], weight.shape), weight.dtype);
  }
  if (!call.needs[kQkv]) out[kQkv] = Tensor();
  return out;
}

Tensors composition(const Tensors& t, int heads, double eps) {
  const std::int64_t width = t[kQkv].size(2) / 3;
  const Tensors parts = split(t[kQkv], {width, width, width}, 2);
  const Shape shape{t[kQkv].size(0), t[kQkv].size(1), heads, width / heads};
  const auto turned = [&](const Tensor& x, const Tensor& weight) {
    return rope(reshape(rms_norm(x, weight, 1, eps), shape), t[kCos], t[kSin], heads);
  };
  return {turned(parts[0], t[kQWeight]), turned(parts[1], t[kKWeight]), reshape(parts[2], shape)};
}

constexpr double kEps = 1e-5;

constexpr OpDef<QkNormAttrs> kQkNormRope{
    "qk_norm_rope", nullptr, forward, vjp, []() -> std::vector<Sample> {
      std::vector<Sample> out;
      struct Case {
        const char* label;
        Shape x, table;
        int heads;
      };
      const Case cases[] = {{"two heads", {2, 3, 36}, {3, 3}, 2},
                            {"tables of each sample", {2, 3, 24}, {2, 3, 2}, 2},
                            {"one token, wide head", {1, 1, 222}, {1, 37}, 1},
                            {"whole vectors, several blocks", {2, 20, 192}, {20, 16}, 2}};
      for (const Case& c : cases) {
        const Shape weight{c.x[2] / 3};
        out.push_back({c.label,
                       {{c.x},
                        {weight, 0.5, 1.5},
                        {weight, 0.5, 1.5},
                        {c.table, -1, 1, false},
                        {c.table, -1, 1, false}},
                       [h = c.heads](const Tensors& t) {
                         const QkvHeads y = qk_norm_rope(t[0], t[1], t[2], t[3], t[4], h, kEps);
                         return Tensors{y.q, y.k, y.v};
                       },
                       [h = c.heads](const Tensors& t) { return composition(t, h, kEps); }});
      }
      out.push_back({"only k is used",
                     {{{2, 3, 12}}, {{4}}, {{4}}, {{3, 1}, -1, 1, false}, {{3, 1}, -1, 1, false}},
                     [](const Tensors& t) {
                       return Tensors{qk_norm_rope(t[0], t[1], t[2], t[3], t[4], 2, kEps).k};
                     }});
      return out;
    }};

}  // namespace

QkvHeads qk_norm_rope(const Tensor& qkv, const Tensor& q_weight, const Tensor& k_weight,
                      const Tensor& cos, const Tensor& sin, int heads, double eps) {
  const Tensors y =
      apply(kQkNormRope, {qkv, q_weight, k_weight, cos, sin}, QkNormAttrs{heads, eps});
  return {y[0], y[1], y[2]};
}

std::vector<OpEntry> detail::qk_norm_ops() {
  return {entry_of(kQkNormRope)};
}

}  // namespace eflow

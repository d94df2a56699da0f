// Linear layers, y = x w^T + b, and a feed-forward layer: two of them with GELU between. If x is
// bf16, weights may be f32 master weights: they are rounded for the products, but their gradients
// are f32.

#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/gemm.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/core/tensor/weight_copy.hpp"

namespace eflow {
namespace {

using detail::gemm;
using detail::GemmEpilogue;

/// Attributes: the dtype of the result.
struct LinearAttrs {
  std::optional<DType> dtype;  ///< by default that of x
};

/// Returns x as [rows, K].
Tensor flat(const Tensor& x) {
  return x.rank() == 2 ? x : reshape(x, {-1, x.size(-1)});
}

/// Allocates a tensor of `spec` on the device of x.
Tensor empty_like(const TensorSpec& spec, const Tensor& x) {
  return Tensor::empty(spec.shape, spec.dtype, x.device());
}

// ---- shared -------------------------------------------------------------------------------------

void check_layer(const Tensor& x, const Tensor& w, const Tensor& b, std::string_view op) {
  const bool masters = x.dtype() == DType::kBF16 && w.dtype() == DType::kF32;
  if (masters)
    detail::require_same_dtype(op, {w, b});
  else
    detail::require_same_dtype(op, {x, w, b});
  const bool fits = x.rank() >= 1 && w.rank() == 2 && x.size(-1) == w.size(1);
  if (!fits || (b.defined() && b.shape() != Shape{w.size(0)})) {
    throw ShapeError(str("[", op, "] x is ", x, ", w is ", w, ", b is ", b,
                         "; expected [..., K], [N, K] and [N]"));
  }
}

DType checked_dtype(const Tensor& x, const LinearAttrs& attrs, std::string_view op) {
  const DType in = detail::floating_dtype(x, op), out = attrs.dtype.value_or(in);
  if (out != in && !(in == DType::kBF16 && out == DType::kF32)) {
    throw InvalidArgument(str("[", op, "] the result for x ", x, " cannot be ", out, "; expected ",
                              in, in == DType::kBF16 ? " or f32" : ""));
  }
  return out;
}

/// Computes y = epilogue(x w^T + b); x, y flat.
void multiply(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y,
              GemmEpilogue epilogue = {}) {
  if (b.defined()) epilogue.bias = detail::weight_in(b, y.dtype());
  gemm(x, transpose(detail::weight_in(w, x.dtype()), 0, 1), y, 1, 0, epilogue);
}

/// dx = epilogue(dy w)
void input_grad(const Tensor& dy, const Tensor& w, const Tensor& dx,
                const GemmEpilogue& epilogue = {}) {
  gemm(dy, detail::weight_in(w, dy.dtype()), dx, 1, 0, epilogue);
}

/// Returns dy^T x.
Tensor weight_grad(const Tensor& dy, const Tensor& x, const TensorSpec& spec) {
  const Tensor dw = empty_like(spec, dy);
  gemm(transpose(dy, 0, 1), x, dw);
  return dw;
}

Tensor bias_grad(const Tensor& dy, const TensorSpec& spec) {
  return cast(detail::wide_sum_to(dy, spec.shape), spec.dtype);
}

// ---- linear: x, w, b ----------------------------------------------------------------------------

constexpr OpDef<LinearAttrs> kLinear{
    "linear",
    [](std::span<const Tensor> in, const LinearAttrs& attrs) -> std::vector<TensorSpec> {
      check_layer(in[0], in[1], in[2], "linear");
      Shape shape = in[0].shape();
      shape[-1] = in[1].size(0);
      return {{shape, checked_dtype(in[0], attrs, "linear")}};
    },
    [](Call<LinearAttrs>& call) {
      const NoGrad off;
      const Tensor &x = call.inputs[0], &w = call.inputs[1];
      multiply(flat(x), w, call.inputs[2], flat(call.outputs[0]));
      call.save(call.needs[1] ? x : Tensor());
      call.save(call.needs[0] ? w : Tensor());
    },
    [](const Call<LinearAttrs>& call, std::span<const Tensor> dys) -> Tensors {
      const Tensor wide = flat(dys[0]), dy = cast(wide, call.in[0].dtype);
      Tensors out(3);
      if (call.needs[0]) {
        out[0] = empty_like(call.in[0], dy);
        input_grad(dy, call.saved[1], flat(out[0]));
      }
      if (call.needs[1]) out[1] = weight_grad(dy, flat(call.saved[0]), call.in[1]);
      if (call.needs[2]) out[2] = bias_grad(wide, call.in[2]);
      return out;
    },
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& x) { return Tensors{linear(x[0], x[1], x[2])}; };
      const auto small_ops = [](const Tensors& x) {
        return Tensors{matmul(x[0], transpose(x[1], 0, 1)) + x[2]};
      };
      return {{"tokens", {{{2, 3, 4}}, {{5, 4}}, {{5}}}, run, small_ops},
              {"one row", {{{1, 7}}, {{3, 7}}, {{3}}}, run, small_ops},
              {"vector", {{{7}}, {{3, 7}}, {{3}}}, run},
              {"no bias", {{{4, 3}}, {{6, 3}}}, [](const Tensors& x) {
                 return Tensors{linear(x[0], x[1])};
               }}};
    }};

// ---- feed-forward: x, up, its bias, down, its bias ----------------------------------------------

enum FeedForwardInput { kX, kUp, kUpBias, kDown, kDownBias };

// On a GPU, GELU and its gradient are epilogues of the products, which saves passes over memory. On
// a CPU the data is still in the cache, and a separate pass is cheaper than the product's slower
// epilogue path (2 % of a training step).

/// Computes before = x w^T + b, stored if `before` is defined, and h = gelu(before).
void multiply_gelu(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& before,
                   const Tensor& h) {
  if (!x.device()->on_host())
    return multiply(x, w, b, h, {.gelu = args::kGeluOfSum, .aux = before});
  const Tensor& sums = before.defined() ? before : h;
  multiply(x, w, b, sums);
  detail::launch_elementwise(args::kGelu, h, {sums});
}

/// dx = (dy w) gelu'(before)
void input_grad_gelu(const Tensor& dy, const Tensor& w, const Tensor& before, const Tensor& dx) {
  if (!dy.device()->on_host())
    return input_grad(dy, w, dx, {.gelu = args::kGeluGradient, .aux = before});
  input_grad(dy, w, dx);
  detail::launch_elementwise(args::kGeluGrad, dx, {before, dx});
}

void forward_feed_forward(Call<LinearAttrs>& call) {
  const NoGrad off;
  const Tensor &x = call.inputs[kX], &up = call.inputs[kUp], &y = call.outputs[0];
  const Tensor rows = flat(x);
  const Shape hidden{rows.size(0), up.size(0)};
  const Tensor h = Tensor::empty(hidden, x.dtype(), x.device());
  const Tensor before = call.recording ? Tensor::empty(hidden, x.dtype(), x.device()) : Tensor();
  multiply_gelu(rows, up, call.inputs[kUpBias], before, h);
  multiply(h, call.inputs[kDown], call.inputs[kDownBias], flat(y));
  for (const Tensor& t : {x, up, call.inputs[kDown], before, h}) call.save(t);
}

Tensors vjp_feed_forward(const Call<LinearAttrs>& call, std::span<const Tensor> dys) {
  const Tensor &x = call.saved[0], &up = call.saved[1], &down = call.saved[2],
               &before = call.saved[3], &h = call.saved[4];
  const Tensor wide = flat(dys[0]), dy = cast(wide, x.dtype());
  Tensors out(call.in.size());
  if (call.needs[kDown]) out[kDown] = weight_grad(dy, h, call.in[kDown]);
  if (call.needs[kDownBias]) out[kDownBias] = bias_grad(wide, call.in[kDownBias]);
  if (!call.needs[kX] && !call.needs[kUp] && !call.needs[kUpBias]) return out;
  const Tensor dbefore = empty_like(before.spec(), dy);
  input_grad_gelu(dy, down, before, dbefore);
  if (call.needs[kX]) {
    out[kX] = empty_like(call.in[kX], dy);
    input_grad(dbefore, up, flat(out[kX]));
  }
  if (call.needs[kUp]) out[kUp] = weight_grad(dbefore, flat(x), call.in[kUp]);
  if (call.needs[kUpBias]) out[kUpBias] = bias_grad(dbefore, call.in[kUpBias]);
  return out;
}

constexpr OpDef<LinearAttrs> kFeedForward{
    "feed_forward",
    [](std::span<const Tensor> in, const LinearAttrs& attrs) -> std::vector<TensorSpec> {
      check_layer(in[kX], in[kUp], in[kUpBias], "feed_forward");
      detail::require_same_dtype("feed_forward", {in[kUp], in[kDown], in[kDownBias]});
      const Tensor &up = in[kUp], &down = in[kDown], &bias = in[kDownBias];
      if (down.rank() != 2 || down.size(1) != up.size(0) ||
          (bias.defined() && bias.shape() != Shape{down.size(0)})) {
        throw ShapeError(str("[feed_forward] up is ", up, ", down is ", down, " with bias ", bias,
                             "; expected [F, K], [N, F] and [N]"));
      }
      Shape shape = in[kX].shape();
      shape[-1] = down.size(0);
      return {{shape, checked_dtype(in[kX], attrs, "feed_forward")}};
    },
    forward_feed_forward, vjp_feed_forward,
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& x) {
        return Tensors{feed_forward(x[0], x[1], x[2], x[3], x[4])};
      };
      const auto small_ops = [](const Tensors& x) {
        return Tensors{linear(gelu(linear(x[0], x[1], x[2])), x[3], x[4])};
      };
      return {{"tokens", {{{2, 3, 4}}, {{7, 4}}, {{7}}, {{5, 7}}, {{5}}}, run, small_ops},
              {"one row", {{{1, 6}}, {{3, 6}}, {{3}}, {{2, 3}}, {{2}}}, run, small_ops},
              {"many rows", {{{70, 24}}, {{96, 24}}, {{96}}, {{24, 96}}, {{24}}}, run, small_ops},
              {"no biases",
               {{{4, 3}}, {{8, 3}}, {{3, 8}}},
               [](const Tensors& x) { return Tensors{feed_forward(x[0], x[1], {}, x[2], {})}; },
               [](const Tensors& x) { return Tensors{linear(gelu(linear(x[0], x[1])), x[2])}; }}};
    }};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, std::optional<DType> out) {
  return apply(kLinear, {x, w, b}, LinearAttrs{out})[0];
}
Tensor feed_forward(const Tensor& x, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                    const Tensor& down_bias, std::optional<DType> out) {
  return apply(kFeedForward, {x, up, up_bias, down, down_bias}, LinearAttrs{out})[0];
}

std::vector<OpEntry> detail::linear_ops() {
  return {entry_of(kLinear), entry_of(kFeedForward)};
}

}  // namespace eflow

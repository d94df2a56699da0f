// Matrix products: matmul of stacks of matrices, and linear, y = x w^T + b.

#include "eflow/base/error.hpp"
#include "eflow/core/gemm.hpp"
#include "eflow/core/launch.hpp"
#include "eflow/core/ops.hpp"
#include "eflow/core/registry.hpp"

namespace eflow {
namespace {

Shape leading(const Shape& shape) { return Shape(shape.span().first(static_cast<std::size_t>(shape.rank() - 2))); }

/// An uninitialised [leading..., m, n] beside x.
Tensor product_like(const Tensor& x, Shape lead, std::int64_t m, std::int64_t n) {
  lead.push_back(m);
  lead.push_back(n);
  return Tensor::empty(lead, x.dtype(), x.device());
}

constexpr OpDef<NoAttrs> kMatmul{
    "matmul",
    [](std::span<const Tensor> x, const NoAttrs&) -> std::vector<TensorSpec> {
      const Tensor &a = x[0], &b = x[1];
      detail::require_same_dtype("matmul", {a, b});
      if (a.rank() < 2 || b.rank() < 2 || a.size(-1) != b.size(-2)) {
        throw ShapeError(str("[matmul] a is ", a, ", b is ", b, "; expected [..., M, K] and [..., K, N]"));
      }
      Shape shape = broadcast_shapes(leading(a.shape()), leading(b.shape()), "matmul");
      shape.push_back(a.size(-2));
      shape.push_back(b.size(-1));
      return {{shape, detail::floating_dtype(a, "matmul")}};
    },
    [](Call<NoAttrs>& call) {
      detail::gemm(call.inputs[0], call.inputs[1], call.outputs[0]);
      call.save(call.needs[1] ? call.inputs[0] : Tensor());
      call.save(call.needs[0] ? call.inputs[1] : Tensor());
    },
    [](const Call<NoAttrs>& call, std::span<const Tensor> dy) -> Tensors {
      const Tensor &a = call.saved[0], &b = call.saved[1], &dc = dy[0];
      Tensors out(2);
      if (call.needs[0]) {
        out[0] = product_like(dc, leading(dc.shape()), dc.size(-2), b.size(-2));
        detail::gemm(dc, transpose(b, -1, -2), out[0]);
        out[0] = detail::sum_to(out[0], call.in[0].shape);
      }
      if (call.needs[1]) {
        out[1] = product_like(dc, leading(dc.shape()), a.size(-1), dc.size(-1));
        detail::gemm(transpose(a, -1, -2), dc, out[1]);
        out[1] = detail::sum_to(out[1], call.in[1].shape);
      }
      return out;
    },
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& x) { return Tensors{matmul(x[0], x[1])}; };
      return {{"matrices", {{{3, 4}}, {{4, 5}}}, run},
              {"one element", {{{1, 1}}, {{1, 1}}}, run},
              {"stacks", {{{2, 3, 2, 4}}, {{2, 3, 4, 3}}}, run},
              {"broadcast stacks", {{{2, 1, 2, 3}}, {{4, 3, 2}}}, run},
              {"wide", {{{9, 17}}, {{17, 50}}}, run},
              {"heads of a row",
               {{{2, 3, 8}}, {{2, 5, 8}}},
               [](const Tensors& x) {  // [B, N, H d] seen as [B, H, N, d]
                 const auto heads = [](const Tensor& t) { return transpose(reshape(t, {2, -1, 2, 4}), 1, 2); };
                 return Tensors{matmul(heads(x[0]), transpose(heads(x[1]), -1, -2))};
               }}};
    }};

/// x as [rows, K].
Tensor flat(const Tensor& x) { return x.rank() == 2 ? x : reshape(x, {-1, x.size(-1)}); }

struct Result {
  std::optional<DType> dtype;  ///< that of x unless given
};

/// Weights of f32 beside x of bf16.
bool are_masters(const Tensor& x, const Tensor& w) {
  return x.dtype() == DType::kBF16 && w.dtype() == DType::kF32;
}

DType linear_dtype(const Tensor& x, const Result& result) {
  const DType in = detail::floating_dtype(x, "linear"), out = result.dtype.value_or(in);
  if (out != in && !(in == DType::kBF16 && out == DType::kF32)) {
    throw InvalidArgument(str("[linear] of ", x, " cannot be ", out, "; expected ", in,
                              in == DType::kBF16 ? " or f32" : ""));
  }
  return out;
}

constexpr OpDef<Result> kLinear{
    "linear",
    [](std::span<const Tensor> in, const Result& result) -> std::vector<TensorSpec> {
      const Tensor &x = in[0], &w = in[1], &b = in[2];
      if (are_masters(x, w)) detail::require_same_dtype("linear", {w, b});
      else detail::require_same_dtype("linear", {x, w, b});
      if (x.rank() < 1 || w.rank() != 2 || x.size(-1) != w.size(1) || (b.defined() && b.shape() != Shape{w.size(0)})) {
        throw ShapeError(str("[linear] x is ", x, ", w is ", w, ", b is ", b, "; expected [..., K], [N, K] and [N]"));
      }
      Shape shape = x.shape();
      shape[-1] = w.size(0);
      return {{shape, linear_dtype(x, result)}};
    },
    [](Call<Result>& call) {
      const NoGrad off;
      const Tensor &x = call.inputs[0], &w = call.inputs[1], &b = call.inputs[2], &y = call.outputs[0];
      const Tensor bias = b.defined() ? cast(b, y.dtype()) : b;
      detail::gemm(flat(x), transpose(cast(w, x.dtype()), 0, 1), flat(y), 1, 0, bias);
      call.save(call.needs[1] ? x : Tensor());
      call.save(call.needs[0] ? w : Tensor());
    },
    [](const Call<Result>& call, std::span<const Tensor> dy) -> Tensors {
      const Tensor wide = flat(dy[0]), dc = cast(wide, call.in[0].dtype);
      Tensors out(3);
      if (call.needs[0]) {
        out[0] = Tensor::empty(call.in[0].shape, dc.dtype(), dc.device());
        detail::gemm(dc, cast(call.saved[1], dc.dtype()), flat(out[0]));
      }
      if (call.needs[1]) {
        out[1] = Tensor::empty(call.in[1].shape, call.in[1].dtype, dc.device());
        detail::gemm(transpose(dc, 0, 1), flat(call.saved[0]), out[1]);
      }
      if (call.needs[2]) out[2] = cast(detail::wide_sum_to(wide, call.in[2].shape), call.in[2].dtype);
      return out;
    },
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& x) { return Tensors{linear(x[0], x[1], x[2])}; };
      const auto small_ops = [](const Tensors& x) { return Tensors{matmul(x[0], transpose(x[1], 0, 1)) + x[2]}; };
      return {{"tokens", {{{2, 3, 4}}, {{5, 4}}, {{5}}}, run, small_ops},
              {"one row", {{{1, 7}}, {{3, 7}}, {{3}}}, run, small_ops},
              {"vector", {{{7}}, {{3, 7}}, {{3}}}, run},
              {"no bias", {{{4, 3}}, {{6, 3}}}, [](const Tensors& x) { return Tensors{linear(x[0], x[1])}; }}};
    }};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) { return apply(kMatmul, {a, b})[0]; }
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, std::optional<DType> out) {
  return apply(kLinear, {x, w, b}, Result{out})[0];
}

std::vector<OpEntry> detail::matmul_ops() { return {entry_of(kMatmul), entry_of(kLinear)}; }

}  // namespace eflow

// Batched matrix products.

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/gemm.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

Shape leading(const Shape& shape) {
  return Shape(shape.span().first(static_cast<std::size_t>(shape.rank() - 2)));
}

/// Allocates [leading..., m, n] with the dtype and device of x.
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
        throw ShapeError(
            str("[matmul] a is ", a, ", b is ", b, "; expected [..., M, K] and [..., K, N]"));
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
                 const auto heads = [](const Tensor& t) {
                   return transpose(reshape(t, {2, -1, 2, 4}), 1, 2);
                 };
                 return Tensors{matmul(heads(x[0]), transpose(heads(x[1]), -1, -2))};
               }}};
    }};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  return apply(kMatmul, {a, b})[0];
}

std::vector<OpEntry> detail::matmul_ops() {
  return {entry_of(kMatmul)};
}

}  // namespace eflow

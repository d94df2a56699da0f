// Softmax over the last axis.

#include "eflow/kernels_src/args/softmax.h"

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

Tensor plain_softmax(const Tensor& x) {
  const Tensor e = exp(x);
  return e / sum(e, {-1}, true);
}

constexpr OpDef<NoAttrs> kSoftmax{
    "softmax",
    [](std::span<const Tensor> x, const NoAttrs&) -> std::vector<TensorSpec> {
      if (x[0].rank() < 1) throw ShapeError(str("[softmax] ", x[0], " has no axis"));
      return {{x[0].shape(), detail::floating_dtype(x[0], "softmax")}};
    },
    [](Call<NoAttrs>& call) {
      const Tensor &x = call.inputs[0], &y = call.outputs[0];
      if (x.count() > 0) {
        const detail::Rows rows = detail::rows_of(x);
        const std::int64_t per_block = detail::rows_per_block(*x.device(), rows.width);
        x.device()->launch(
            "softmax", jit::KernelSpec("softmax", {x.dtype()}),
            {detail::blocks(rows.count, per_block)},
            args::Softmax{rows.x.data(), y.data(), rows.count, rows.width, rows.stride, per_block});
      }
      call.save(y);
    },
    [](const Call<NoAttrs>& call, std::span<const Tensor> dys) -> Tensors {
      const Tensor& y = call.saved[0];
      const Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device());
      if (y.count() == 0) return {dx};
      const detail::Rows dy = detail::rows_of(dys[0]);
      const std::int64_t per_block = detail::rows_per_block(*dy.x.device(), dy.width);
      y.device()->launch("softmax_grad", jit::KernelSpec("softmax_grad", {y.dtype()}),
                         {detail::blocks(dy.count, per_block)},
                         args::SoftmaxGrad{y.data(), dy.x.data(), dx.data(), dy.count, dy.width,
                                           dy.stride, per_block});
      return {dx};
    },
    []() -> std::vector<Sample> {
      std::vector<Sample> out;
      for (const Shape& shape : {Shape{3, 5}, Shape{2, 3, 33}, Shape{1}, Shape{70, 16}}) {
        out.push_back({str(shape),
                       {{shape, -3, 3}},
                       [](const Tensors& x) { return Tensors{softmax(x[0])}; },
                       [](const Tensors& x) { return Tensors{plain_softmax(x[0])}; }});
      }
      out.push_back(
          {"columns",
           {{{5, 3}, -3, 3}},
           [](const Tensors& x) { return Tensors{softmax(transpose(x[0], 0, 1))}; },
           [](const Tensors& x) { return Tensors{plain_softmax(transpose(x[0], 0, 1))}; }});
      return out;
    }};

}  // namespace

Tensor softmax(const Tensor& x) {
  return apply(kSoftmax, {x})[0];
}

std::vector<OpEntry> detail::softmax_ops() {
  return {entry_of(kSoftmax)};
}

}  // namespace eflow

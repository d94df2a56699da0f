// Cross-entropy, for the classifier that evaluation uses to judge samples.

#include "eflow/kernels_src/args/loss.h"

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/indices.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

std::vector<TensorSpec> infer_cross_entropy(std::span<const Tensor> x, const NoAttrs&) {
  const Tensor &logits = x[0], &labels = x[1];
  const DType dtype = detail::floating_dtype(logits, "cross_entropy");
  if (logits.rank() != 2 || logits.count() == 0 || labels.shape() != Shape{logits.size(0)}) {
    throw ShapeError(str("[cross_entropy] logits ", logits, " and labels ", labels,
                         "; expected [B, C] and [B]"));
  }
  static_cast<void>(detail::checked_indices(labels, logits.size(1), "cross_entropy", "label"));
  return {{Shape{}, dtype}};
}

void forward_cross_entropy(Call<NoAttrs>& call) {
  const NoGrad off;
  const detail::Rows logits = detail::rows_of(call.inputs[0]);
  const Tensor labels = contiguous(call.inputs[1]);
  const DType wide = accumulator_of(logits.x.dtype());
  const DevicePtr& device = logits.x.device();
  const Tensor loss = Tensor::empty({logits.count}, wide, device),
               log_sum = Tensor::empty({logits.count}, wide, device);
  const std::int64_t per_block = detail::rows_per_block(*logits.x.device(), logits.width);
  device->launch(
      "cross_entropy", jit::KernelSpec("cross_entropy", {logits.x.dtype()}),
      {detail::blocks(logits.count, per_block)},
      args::CrossEntropy{logits.x.data(), static_cast<const long long*>(labels.data()), loss.data(),
                         log_sum.data(), logits.count, logits.width, logits.stride, per_block});
  detail::copy_elements(mean(loss), call.outputs[0]);
  call.save(logits.x);
  call.save(labels);
  call.save(log_sum);
}

Tensors vjp_cross_entropy(const Call<NoAttrs>& call, std::span<const Tensor> dy) {
  const detail::Rows logits = detail::rows_of(call.saved[0]);
  const Tensor dlogits = Tensor::empty(call.in[0].shape, call.in[0].dtype, dy[0].device());
  const std::int64_t per_block = detail::rows_per_block(*logits.x.device(), logits.width);
  dlogits.device()->launch(
      "cross_entropy_grad", jit::KernelSpec("cross_entropy_grad", {dlogits.dtype()}),
      {detail::blocks(logits.count, per_block)},
      args::CrossEntropyGrad{logits.x.data(), static_cast<const long long*>(call.saved[1].data()),
                             call.saved[2].data(), dy[0].data(), dlogits.data(), logits.count,
                             logits.width, logits.stride, per_block});
  return {dlogits, Tensor()};
}

Tensor plain_cross_entropy(const Tensor& logits, const std::vector<std::int64_t>& labels) {
  const Tensor log_sum = log(sum(exp(logits), {1}));
  Tensor chosen = Tensor::zeros(Shape{}, logits.dtype(), logits.device());
  for (std::size_t b = 0; b < labels.size(); ++b) {
    const Tensor row = narrow(logits, 0, static_cast<std::int64_t>(b), 1);
    chosen = chosen + reshape(narrow(row, 1, labels[b], 1), Shape{});
  }
  return mean(log_sum) - chosen / static_cast<double>(labels.size());
}

constexpr OpDef<NoAttrs> kCrossEntropy{
    "cross_entropy", infer_cross_entropy, forward_cross_entropy, vjp_cross_entropy,
    []() -> std::vector<Sample> {
      std::vector<Sample> out;
      const std::pair<Shape, std::vector<std::int64_t>> cases[] = {
          {{3, 5}, {4, 0, 2}}, {{1, 1}, {0}}, {{2, 37}, {36, 16}}, {{5, 16}, {1, 1, 15, 0, 3}}};
      for (const auto& [shape, labels] : cases) {
        out.push_back({str(shape),
                       {{shape, -3, 3}, {{shape[0]}, 0, 0, false, labels}},
                       [](const Tensors& x) { return Tensors{cross_entropy(x[0], x[1])}; },
                       [labels = labels](const Tensors& x) {
                         return Tensors{plain_cross_entropy(x[0], labels)};
                       }});
      }
      return out;
    }};

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  return apply(kCrossEntropy, {logits, labels})[0];
}

std::vector<OpEntry> detail::loss_ops() {
  return {entry_of(kCrossEntropy)};
}

}  // namespace eflow

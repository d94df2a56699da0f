// Selecting tokens of a sample and putting them back, for token dropping. Each op is the other's
// gradient.

#include "eflow/kernels_src/args/tokens.h"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/indices.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/ops/select.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

void check_tokens(std::string_view op, const Tensor& x, const Tensor& ids) {
  static_cast<void>(detail::floating_dtype(x, op));
  if (x.rank() != 3 || ids.rank() != 2 || ids.size(0) != x.size(0)) {
    throw ShapeError(str("[", op, "] x ", x, " and ids ", ids, "; expected [B, N, D] and [B, M]"));
  }
}

// ---- gather -------------------------------------------------------------------------------------

constexpr OpDef<NoAttrs> kGather{
    "gather_tokens",
    [](std::span<const Tensor> t, const NoAttrs&) -> std::vector<TensorSpec> {
      check_tokens("gather_tokens", t[0], t[1]);
      return {{{t[0].size(0), t[1].size(1), t[0].size(2)}, t[0].dtype()}};
    },
    [](Call<NoAttrs>& call) {
      const NoGrad off;
      const Tensor &x = call.inputs[0], &ids = call.inputs[1];
      const auto values = detail::checked_indices(ids, x.size(1), "gather_tokens", "token");
      const auto inverse = detail::inverse_indices(values, x.size(0), x.size(1), "gather_tokens");
      detail::launch_select(x, contiguous(ids), Tensor(), call.outputs[0]);
      if (call.recording) call.save(Tensor::from(inverse, {x.size(0), x.size(1)}, x.device()));
    },
    [](const Call<NoAttrs>& call, std::span<const Tensor> dy) -> Tensors {
      const Tensor dx = Tensor::empty(call.in[0].shape, call.in[0].dtype, dy[0].device());
      detail::launch_select(dy[0], call.saved[0], Tensor(), dx);
      return {dx, Tensor()};
    },
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& t) { return Tensors{gather_tokens(t[0], t[1])}; };
      return {
          {"two of three", {{{2, 3, 5}}, {{2, 2}, 0, 0, false, {2, 0, 1, 2}}}, run},
          {"all, another order", {{{1, 4, 16}}, {{1, 4}, 0, 0, false, {3, 1, 0, 2}}}, run},
          {"one token, part of a wider row",
           {{{2, 3, 66}}, {{2, 1}, 0, 0, false, {1, 2}}},
           [](const Tensors& t) { return Tensors{gather_tokens(narrow(t[0], 2, 33, 33), t[1])}; }}};
    }};

// ---- scatter ------------------------------------------------------------------------------------

/// Attributes: tokens per sample of the result.
struct Tokens {
  std::int64_t count = 0;
};

/// Returns the sum of the rows of dy whose output is the fill value, over all samples.
Tensor fill_gradient(const Tensor& dy, const Tensor& inverse, const TensorSpec& spec) {
  const detail::Rows rows = detail::rows_of(dy);
  const std::int64_t per_block =
      std::clamp<std::int64_t>(detail::rows_per_block(*rows.x.device(), rows.width), 16, 256);
  const std::int64_t parts = detail::blocks(rows.count, per_block);
  if (parts == 0) return Tensor::zeros(spec.shape, spec.dtype, dy.device());
  const Tensor partial =
      Tensor::empty({parts, rows.width}, accumulator_of(spec.dtype), dy.device());
  dy.device()->launch(
      "sum_unselected", jit::KernelSpec("sum_unselected", {spec.dtype}), {parts},
      args::SumUnselected{rows.x.data(), static_cast<const long long*>(inverse.data()),
                          partial.data(), rows.count, rows.width, rows.stride, per_block});
  return cast(sum(partial, {0}), spec.dtype);
}

/// Inputs: x, ids, fill. Saves ids and their inverse.
constexpr OpDef<Tokens> kScatter{
    "scatter_tokens",
    [](std::span<const Tensor> t, const Tokens& tokens) -> std::vector<TensorSpec> {
      check_tokens("scatter_tokens", t[0], t[1]);
      if (t[1].size(1) != t[0].size(1) || t[2].shape() != Shape{t[0].size(2)}) {
        throw ShapeError(str("[scatter_tokens] x ", t[0], ", ids ", t[1], ", fill ", t[2],
                             "; expected [B, M, D], [B, M] and [D]"));
      }
      detail::require_same_dtype("scatter_tokens", {t[0], t[2]});
      return {{{t[0].size(0), tokens.count, t[0].size(2)}, t[0].dtype()}};
    },
    [](Call<Tokens>& call) {
      const NoGrad off;
      const Tensor &x = call.inputs[0], &ids = call.inputs[1];
      const std::int64_t tokens = call.attrs.count;
      const auto values = detail::checked_indices(ids, tokens, "scatter_tokens", "token");
      const Tensor inverse =
          Tensor::from(detail::inverse_indices(values, x.size(0), tokens, "scatter_tokens"),
                       {x.size(0), tokens}, x.device());
      detail::launch_select(x, inverse, contiguous(call.inputs[2]), call.outputs[0]);
      call.save(contiguous(ids));
      call.save(inverse);
    },
    [](const Call<Tokens>& call, std::span<const Tensor> dy) -> Tensors {
      Tensors out(3);
      if (call.needs[0]) {
        out[0] = Tensor::empty(call.in[0].shape, call.in[0].dtype, dy[0].device());
        detail::launch_select(dy[0], call.saved[0], Tensor(), out[0]);
      }
      if (call.needs[2]) out[2] = fill_gradient(dy[0], call.saved[1], call.in[2]);
      return out;
    },
    []() -> std::vector<Sample> {
      const auto into = [](std::int64_t tokens) {
        return [tokens](const Tensors& t) {
          return Tensors{scatter_tokens(t[0], t[1], t[2], tokens)};
        };
      };
      return {
          {"two of three", {{{2, 2, 5}}, {{2, 2}, 0, 0, false, {2, 0, 1, 2}}, {{5}}}, into(3)},
          {"all, no fill", {{{1, 4, 16}}, {{1, 4}, 0, 0, false, {3, 1, 0, 2}}, {{16}}}, into(4)},
          {"one of many", {{{2, 1, 33}}, {{2, 1}, 0, 0, false, {1, 299}}, {{33}}}, into(300)}};
    }};

}  // namespace

Tensor gather_tokens(const Tensor& x, const Tensor& ids) {
  return apply(kGather, {x, ids})[0];
}

Tensor scatter_tokens(const Tensor& x, const Tensor& ids, const Tensor& fill, std::int64_t tokens) {
  if (tokens < 0)
    throw InvalidArgument(str("[scatter_tokens] ", tokens, " tokens; expected 0 or more"));
  return apply(kScatter, {x, ids, fill}, Tokens{tokens})[0];
}

std::vector<OpEntry> detail::tokens_ops() {
  return {entry_of(kGather), entry_of(kScatter)};
}

}  // namespace eflow

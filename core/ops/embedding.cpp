// Lookup of table rows by index. The gradient sums the rows of repeated indices in a fixed order.

#include "eflow/kernels_src/args/embedding.h"

#include <numeric>

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

/// For each table row, the output positions that use it, in ascending order.
struct Uses {
  /// One per id. Row r is used by order[starts[r]] .. order[starts[r + 1] - 1].
  std::vector<std::int64_t> order, starts;
};

Uses uses_of(const std::vector<std::int64_t>& ids, std::int64_t rows) {
  Uses p;
  p.starts.assign(static_cast<std::size_t>(rows) + 1, 0);
  for (const std::int64_t id : ids) ++p.starts[static_cast<std::size_t>(id) + 1];
  std::partial_sum(p.starts.begin(), p.starts.end(), p.starts.begin());
  std::vector<std::int64_t> next = p.starts;
  p.order.resize(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    p.order[static_cast<std::size_t>(next[static_cast<std::size_t>(ids[i])]++)] =
        static_cast<std::int64_t>(i);
  }
  return p;
}

constexpr OpDef<NoAttrs> kEmbedding{
    "embedding",
    [](std::span<const Tensor> t, const NoAttrs&) -> std::vector<TensorSpec> {
      const DType dtype = detail::floating_dtype(t[0], "embedding");
      if (t[0].rank() != 2)
        throw ShapeError(str("[embedding] table is ", t[0], "; expected [R, D]"));
      Shape shape = t[1].shape();
      shape.push_back(t[0].size(1));
      return {{shape, dtype}};
    },
    [](Call<NoAttrs>& call) {
      const NoGrad off;
      const Tensor &table = call.inputs[0], &ids = call.inputs[1];
      const std::int64_t rows = table.size(0), width = table.size(1), count = ids.count();
      const auto values = detail::checked_indices(ids, rows, "embedding", "id");
      const Tensor y = call.outputs[0].view({1, count, width}, {count * width, width, 1});
      const Tensor dense = contiguous(table);
      detail::launch_select(dense.view({1, rows, width}, {rows * width, width, 1}), contiguous(ids),
                            Tensor(), y);
      if (!call.recording) return;
      const Uses uses = uses_of(values, rows);
      call.save(Tensor::from(uses.order, {count}, table.device()));
      call.save(Tensor::from(uses.starts, {rows + 1}, table.device()));
    },
    [](const Call<NoAttrs>& call, std::span<const Tensor> dys) -> Tensors {
      const TensorSpec& table = call.in[0];
      const Tensor dtable = Tensor::empty(table.shape, table.dtype, dys[0].device());
      if (dtable.count() == 0) return {dtable, Tensor()};
      const detail::Rows dy = detail::rows_of(dys[0]);
      const std::int64_t per_block =
          std::min<std::int64_t>(8, detail::rows_per_block(*dtable.device(), table.shape[1]));
      dtable.device()->launch(
          "embedding_grad", jit::KernelSpec("embedding_grad", {table.dtype}),
          {detail::blocks(table.shape[0], per_block)},
          args::EmbeddingGrad{dy.x.data(), dtable.data(),
                              static_cast<const long long*>(call.saved[0].data()),
                              static_cast<const long long*>(call.saved[1].data()), table.shape[0],
                              table.shape[1], dy.stride, per_block});
      return {dtable, Tensor()};
    },
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& t) { return Tensors{embedding(t[0], t[1])}; };
      return {{"a batch of labels, one twice", {{{4, 5}}, {{3}, 0, 0, false, {2, 0, 2}}}, run},
              {"ids of two axes", {{{3, 16}}, {{2, 2}, 0, 0, false, {1, 1, 1, 0}}}, run},
              {"one row", {{{1, 37}}, {{4}, 0, 0, false, {0, 0, 0, 0}}}, run},
              {"rows of a transposed table",
               {{{5, 3}}, {{2}, 0, 0, false, {2, 1}}},
               [](const Tensors& t) { return Tensors{embedding(transpose(t[0], 0, 1), t[1])}; }}};
    }};

}  // namespace

Tensor embedding(const Tensor& table, const Tensor& ids) {
  return apply(kEmbedding, {table, ids})[0];
}

std::vector<OpEntry> detail::embedding_ops() {
  return {entry_of(kEmbedding)};
}

}  // namespace eflow

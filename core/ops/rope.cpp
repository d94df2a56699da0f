// Rotary position embedding [arXiv 2104.09864]. Its gradient is the rotation by the negative angle.

#include "eflow/kernels_src/args/rope.h"

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

/// Attributes: the number of heads.
struct Heads {
  int count = 1;
};

/// Inputs: x, cos, sin.
std::vector<TensorSpec> infer_rope(std::span<const Tensor> t, const Heads& heads) {
  const Tensor &x = t[0], &cos = t[1], &sin = t[2];
  const DType dtype = detail::floating_dtype(x, "rope");
  const bool flat = x.rank() == 3 && heads.count > 0 && x.size(2) % (2 * heads.count) == 0;
  const bool split = x.rank() == 4 && x.size(2) == heads.count && x.size(3) % 2 == 0;
  if (!flat && !split) {
    throw ShapeError(str("[rope] x is ", x, "; expected [B, N, H d] or [B, N, H, d] with H = ",
                         heads.count, ", d even"));
  }
  const std::int64_t half = (flat ? x.size(2) / heads.count : x.size(3)) / 2;
  for (const Tensor& table : {cos, sin}) {
    if (table.shape() != Shape{x.size(1), half} &&
        table.shape() != Shape{x.size(0), x.size(1), half}) {
      throw ShapeError(str("[rope] table ", table, " for x ", x,
                           "; expected [N, d/2] or [B, N, d/2], d/2 = ", half));
    }
    const bool wide_table = dtype == DType::kBF16 && table.dtype() == DType::kF32;
    if (!wide_table) detail::require_same_dtype("rope", {x, table});
  }
  if (cos.shape() != sin.shape() || cos.dtype() != sin.dtype()) {
    throw ShapeError(str("[rope] cos ", cos, " and sin ", sin, " differ"));
  }
  return {x.spec()};
}

/// sign: 1 rotates forward, -1 back.
void launch_rope(const Tensor& x, const Tensor& cos, const Tensor& sin, int heads, double sign,
                 const Tensor& y) {
  if (x.count() == 0) return;
  const detail::Rows rows = detail::rows_of(x, x.rank() - 2);
  args::Rope a{};
  a.x = rows.x.data();
  a.y = y.data();
  a.cos = cos.data();
  a.sin = sin.data();
  a.sign = sign;
  a.rows = rows.count;
  a.table_rows = cos.count() / cos.size(-1);
  a.heads = heads;
  a.half = cos.size(-1);
  a.x_stride = rows.stride;
  a.rows_per_block = detail::rows_per_block(*x.device(), rows.width);
  x.device()->launch("rope", jit::KernelSpec("rope", {x.dtype(), cos.dtype()}),
                     {detail::blocks(a.rows, a.rows_per_block)}, a);
}

Tensor plain_rope(const Tensor& x, const Tensor& cos, const Tensor& sin, int heads) {
  const std::int64_t b = x.size(0), n = x.size(1), half = cos.size(-1);
  const Tensors p = split(reshape(x, {b, n, heads, half, 2}), {1, 1}, -1);
  const Shape line{cos.rank() == 3 ? b : 1, n, 1, half, 1};
  const Tensor c = reshape(cos, line), s = reshape(sin, line);
  return reshape(concat({p[0] * c - p[1] * s, p[0] * s + p[1] * c}, -1), x.shape());
}

std::vector<Sample> samples_rope() {
  std::vector<Sample> out;
  struct Case {
    const char* label;
    Shape x, table;
    int heads;
  };
  const Case cases[] = {{"flat", {2, 3, 12}, {3, 2}, 3},
                        {"heads apart, tables of each sample", {2, 3, 2, 6}, {2, 3, 3}, 2},
                        {"one token, wide head", {1, 1, 74}, {1, 37}, 1},
                        {"whole vectors", {2, 5, 2, 64}, {5, 32}, 2}};
  for (const Case& c : cases) {
    out.push_back(
        {c.label,
         {{c.x}, {c.table, -1, 1, false}, {c.table, -1, 1, false}},
         [h = c.heads](const Tensors& t) { return Tensors{rope(t[0], t[1], t[2], h)}; },
         [h = c.heads](const Tensors& t) { return Tensors{plain_rope(t[0], t[1], t[2], h)}; }});
  }
  out.push_back(
      {"a third of a wider product",
       {{{2, 3, 24}}, {{3, 2}, -1, 1, false}, {{3, 2}, -1, 1, false}},
       [](const Tensors& t) { return Tensors{rope(narrow(t[0], 2, 8, 8), t[1], t[2], 2)}; },
       [](const Tensors& t) { return Tensors{plain_rope(narrow(t[0], 2, 8, 8), t[1], t[2], 2)}; }});
  return out;
}

constexpr OpDef<Heads> kRope{
    "rope", infer_rope,
    [](Call<Heads>& call) {
      const NoGrad off;
      const Tensor cos = contiguous(call.inputs[1]), sin = contiguous(call.inputs[2]);
      launch_rope(call.inputs[0], cos, sin, call.attrs.count, 1, call.outputs[0]);
      call.save(cos);
      call.save(sin);
    },
    [](const Call<Heads>& call, std::span<const Tensor> dy) -> Tensors {
      Tensors out(3);
      if (!call.needs[0]) return out;
      out[0] = Tensor::empty(call.in[0].shape, call.in[0].dtype, dy[0].device());
      launch_rope(dy[0], call.saved[0], call.saved[1], call.attrs.count, -1, out[0]);
      return out;
    },
    samples_rope};

}  // namespace

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, int heads) {
  return apply(kRope, {x, cos, sin}, Heads{heads})[0];
}

std::vector<OpEntry> detail::rope_ops() {
  return {entry_of(kRope)};
}

}  // namespace eflow

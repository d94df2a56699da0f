// Sums and means over axes, and mean square errors.

#include "eflow/kernels_src/args/reduce.h"

#include <algorithm>
#include <cstddef>

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/square_error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

/// Attributes: the axes to reduce.
struct Over {
  std::vector<bool> reduced;  ///< one per axis
  double scale = 1;           ///< factor of the sum; 1 / count for a mean
};

/// Returns the shape with reduced axes of size 1.
Shape kept_shape(const Shape& shape, const std::vector<bool>& reduced) {
  Shape out = shape;
  for (int i = 0; i < out.rank(); ++i) {
    if (reduced[static_cast<std::size_t>(i)]) out[i] = 1;
  }
  return out;
}

/// x, and z if the terms have it, as row-major [outer, reduce, inner]. If the reduced axes are
/// not adjacent, they are moved to the end.
struct Folded {
  Tensor x, z;
  args::ReduceTerms terms = args::kPlainTerms;
  std::int64_t outer = 1, reduce = 1, inner = 1;
};

Folded fold(const Tensor& x, const Tensor& z, const std::vector<bool>& reduced) {
  std::vector<int> front, middle, back;
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced[static_cast<std::size_t>(i)])
      middle.push_back(i);
    else
      (middle.empty() ? front : back).push_back(i);
  }
  const bool together =
      middle.empty() || middle.back() - middle.front() + 1 == static_cast<int>(middle.size());
  if (!together) {
    front.insert(front.end(), back.begin(), back.end());
    back.clear();
  }
  std::vector<int> order = front;
  order.insert(order.end(), middle.begin(), middle.end());
  order.insert(order.end(), back.begin(), back.end());
  const auto arrange = [&](const Tensor& t) {
    return contiguous(together ? t : permute(t, order));
  };
  Folded out;
  out.x = arrange(x);
  if (z.defined()) {
    out.z = z.is(x) ? out.x : arrange(broadcast_to(z, x.shape()));
    out.terms = args::kProducts;
  }
  for (const int i : front) out.outer *= x.size(i);
  for (const int i : middle) out.reduce *= x.size(i);
  for (const int i : back) out.inner *= x.size(i);
  return out;
}

constexpr std::int64_t kColumnsPerBlock = 64;

void launch_reduce(const Folded& f, const Tensor& y, double scale) {
  if (y.count() == 0) return;
  args::Reduce a{};
  a.x = f.x.data();
  a.z = f.z.defined() ? f.z.data() : nullptr;
  a.y = y.data();
  a.scale = scale;
  a.outer = f.outer;
  a.reduce = f.reduce;
  a.inner = f.inner;
  const bool long_rows = f.reduce >= y.device()->block_shape().elements;
  a.outer_per_block = long_rows ? 1 : detail::rows_per_block(*y.device(), f.reduce);
  a.inner_per_block = kColumnsPerBlock;
  const jit::KernelSpec spec("reduce", {f.x.dtype(), y.dtype()}, {f.terms});
  if (f.inner == 1) {
    y.device()->launch("reduce", spec, {detail::blocks(f.outer, a.outer_per_block)}, a);
    return;
  }
  const std::int64_t slice = y.device()->block_shape().most_yz;
  const auto in = static_cast<std::int64_t>(size_of(f.x.dtype())) * f.reduce * f.inner,
             out = static_cast<std::int64_t>(size_of(y.dtype())) * f.inner;
  for (std::int64_t first = 0; first < f.outer; first += std::min(slice, f.outer - first)) {
    args::Reduce now = a;
    now.outer = std::min(slice, f.outer - first);
    now.x = static_cast<const std::byte*>(a.x) + first * in;
    if (a.z) now.z = static_cast<const std::byte*>(a.z) + first * in;
    now.y = static_cast<std::byte*>(a.y) + first * out;
    y.device()->launch("reduce", spec, {detail::blocks(f.inner, a.inner_per_block), now.outer},
                       now);
  }
}

/// Returns the number of parts into which a long sum is split so that all processors have work. It
/// depends on the device and the shape alone, so the order of additions does not depend on threads.
std::int64_t parts_of(const Folded& f, const Device& device) {
  if (f.outer * f.inner > 4096) return 1;
  constexpr std::int64_t kFewest = 16;  // fewer are not worth a second launch
  for (std::int64_t parts = device.block_shape().sum_parts; parts >= kFewest; parts /= 2) {
    if (f.reduce % parts == 0 && f.reduce >= 32 * parts) return parts;
  }
  return 1;
}

/// Writes scale times the sum to y.
void sum_folded(Folded f, const Tensor& y, double scale) {
  const DType sums = accumulator_of(f.x.dtype());
  const std::int64_t count = parts_of(f, *y.device());
  if (count > 1) {
    const Tensor parts = Tensor::empty({f.outer, count, f.inner}, sums, y.device());
    Folded first = f;
    first.outer *= count;
    first.reduce /= count;
    launch_reduce(first, parts, 1);
    const Tensor total = y.dtype() == sums ? y : Tensor::empty(y.shape(), sums, y.device());
    launch_reduce({parts, Tensor(), args::kPlainTerms, f.outer, count, f.inner}, total, scale);
    if (!total.is(y)) detail::copy_elements(total, y);  // narrow dtypes are rounded once
  } else {
    launch_reduce(f, y, scale);
  }
}

constexpr OpDef<Over> kSum{
    "sum",
    [](std::span<const Tensor> x, const Over& a) -> std::vector<TensorSpec> {
      return {{kept_shape(x[0].shape(), a.reduced), detail::floating_dtype(x[0], "sum")}};
    },
    [](Call<Over>& call) {
      const NoGrad off;
      sum_folded(fold(call.inputs[0], Tensor(), call.attrs.reduced), call.outputs[0],
                 call.attrs.scale);
    },
    [](const Call<Over>& call, std::span<const Tensor> dy) -> Tensors {
      const Tensor scaled = call.attrs.scale == 1 ? dy[0] : affine(dy[0], call.attrs.scale, 0);
      return {broadcast_to(scaled, call.in[0].shape)};
    },
    []() -> std::vector<Sample> {
      std::vector<Sample> out;
      for (const std::vector<int>& axes :
           {std::vector<int>{}, {0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}}) {
        out.push_back({str(axes.size(), " axes from ", axes.empty() ? -1 : axes[0]),
                       {{{3, 4, 5}}},
                       [axes](const Tensors& x) { return Tensors{sum(x[0], axes)}; }});
      }
      out.push_back({"mean of long columns", {{{1024, 3}}}, [](const Tensors& x) {
                       return Tensors{mean(x[0], {0}, true)};
                     }});
      out.push_back(
          {"one long row", {{{2048}}}, [](const Tensors& x) { return Tensors{sum(x[0])}; }});
      return out;
    }};

/// Sum, or mean if `average`.
Tensor run(const Tensor& x, const std::vector<int>& axes, bool keep, bool average) {
  Over a;
  a.reduced.assign(static_cast<std::size_t>(x.rank()), axes.empty());
  for (const int axis : axes) a.reduced[static_cast<std::size_t>(x.shape().axis(axis))] = true;
  const Shape kept = kept_shape(x.shape(), a.reduced);
  if (average) {
    if (x.count() == 0) throw ShapeError(str("[mean] ", x, " has no elements"));
    a.scale = static_cast<double>(element_count(kept)) / static_cast<double>(x.count());
  }
  const Tensor y = apply(kSum, {x}, a)[0];
  if (keep) return y;
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (!a.reduced[static_cast<std::size_t>(i)]) shape.push_back(x.size(i));
  }
  return reshape(y, shape);
}

// ---- mean square error: x, target or undefined --------------------------------------------------

/// Factor of a sample's sum.
double mean_scale(const TensorSpec& x) {
  return static_cast<double>(x.shape[0]) / static_cast<double>(element_count(x.shape));
}

constexpr OpDef<NoAttrs> kMeanSquareError{
    "mean_square_error",
    [](std::span<const Tensor> x, const NoAttrs&) -> std::vector<TensorSpec> {
      const DType dtype = detail::floating_dtype(x[0], "mean_square_error");
      if (x[0].rank() < 1 || x[0].count() == 0)
        throw ShapeError(str("[mean_square_error] x is ", x[0], "; expected [B, ...], not empty"));
      if (x[1].defined() && x[1].shape() != x[0].shape())
        throw ShapeError(str("[mean_square_error] x is ", x[0], ", the target is ", x[1],
                             "; expected one shape"));
      detail::require_same_dtype("mean_square_error", {x[0], x[1]});
      return {{Shape{x[0].size(0)}, dtype}};
    },
    [](Call<NoAttrs>& call) {
      const NoGrad off;
      const Tensor &x = call.inputs[0], &target = call.inputs[1];
      std::vector<bool> reduced(static_cast<std::size_t>(x.rank()), true);
      reduced[0] = false;
      Folded f = fold(x, target.defined() ? target : x, reduced);
      if (target.defined()) f.terms = args::kSquaredDifferences;
      sum_folded(f, call.outputs[0], mean_scale(x.spec()));
      call.save(x);
      call.save(target);
    },
    [](const Call<NoAttrs>& call, std::span<const Tensor> dys) -> Tensors {
      const TensorSpec& in = call.in[0];
      const Tensor &x = call.saved[0], &target = call.saved[1];
      Shape column = in.shape;
      for (int i = 1; i < column.rank(); ++i) column[i] = 1;
      const double scale = 2 * mean_scale(in);
      const Tensor dy = reshape(dys[0], column);
      if (!target.defined()) return {x * (dy * scale), Tensor()};
      const Tensor dx = Tensor::empty(in.shape, in.dtype, dy.device());
      detail::launch_elementwise(args::kScaledDifference, dx, {x, target, dy}, scale);
      return {dx, Tensor()};
    },
    []() -> std::vector<Sample> {
      const auto plain = [](const Tensor& x) {
        return Tensors{mean(reshape(square(x), {x.size(0), -1}), {1})};
      };
      const auto fixed = [](const Shape& shape) { return Sample::Input{shape, -1, 1, false}; };
      std::vector<Sample> out;
      for (const Shape& shape : {Shape{3, 4, 5}, Shape{2}, Shape{1, 37}, Shape{2, 3, 1024}}) {
        out.push_back({str("target, ", shape),
                       {{shape}, fixed(shape)},
                       [](const Tensors& x) { return Tensors{mean_square_error(x[0], x[1])}; },
                       [plain](const Tensors& x) { return plain(x[0] - x[1]); }});
      }
      out.push_back(
          {"no target, transposed",
           {{{5, 3}}},
           [](const Tensors& x) { return Tensors{mean_square_error(transpose(x[0], 0, 1))}; },
           [plain](const Tensors& x) { return plain(transpose(x[0], 0, 1)); }});
      return out;
    }};

/// Returns x, or x z if z is defined, summed to a shape that broadcasts to x's.
Tensor summed(const Tensor& x, const Tensor& z, const Shape& shape, DType dtype) {
  std::vector<bool> reduced;
  const int extra = x.rank() - shape.rank();
  for (int i = 0; i < x.rank(); ++i) {
    reduced.push_back(i < extra || (shape[i - extra] == 1 && x.size(i) != 1));
  }
  const Tensor y = Tensor::empty(shape, dtype, x.device());
  sum_folded(fold(x, z, reduced), y, 1);
  return y;
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep) {
  return run(x, axes, keep, false);
}
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep) {
  return run(x, axes, keep, true);
}

Tensor mean_square_error(const Tensor& x, const Tensor& target) {
  return apply(kMeanSquareError, {x, target.defined() ? target.detach() : target})[0];
}

namespace detail {

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return sum_product_to(x, Tensor(), shape);
}

Tensor wide_sum_to(const Tensor& x, const Shape& shape) {
  const DType wide = accumulator_of(x.dtype());
  return x.shape() == shape ? cast(x, wide) : summed(x, Tensor(), shape, wide);
}

Tensor sum_product_to(const Tensor& x, const Tensor& z, const Shape& shape) {
  return x.shape() == shape ? x * z : summed(x, z, shape, x.dtype());
}

}  // namespace detail

std::vector<OpEntry> detail::reduce_ops() {
  return {entry_of(kSum), entry_of(kMeanSquareError)};
}

}  // namespace eflow

// Layout ops: views that change only shape and strides, and copies (contiguous, concat, some
// reshapes).

#include <algorithm>
#include <numeric>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/kernels_src/args/concat.h"

namespace eflow {
namespace {

/// Returns strides that present the memory of x with `shape`, or nullopt if that needs a copy.
/// Matches groups of old and new dimensions with equal products; within a group the old dimensions
/// must be dense.
std::optional<Strides> view_strides(const Tensor& x, const Shape& shape) {
  Shape size;
  Strides stride;
  for (int i = 0; i < x.rank(); ++i) {
    if (x.size(i) == 1) continue;
    size.push_back(x.size(i));
    stride.push_back(x.strides()[i]);
  }
  Strides out = shape;
  int from = 0, to = 0;
  while (from < size.rank() && to < shape.rank()) {
    int from_end = from + 1, to_end = to + 1;
    std::int64_t have = size[from], want = shape[to];
    while (have != want) {
      if (have < want) {
        if (from_end == size.rank()) return std::nullopt;
        if (stride[from_end - 1] != stride[from_end] * size[from_end]) return std::nullopt;
        have *= size[from_end++];
      } else {
        if (to_end == shape.rank()) return std::nullopt;
        want *= shape[to_end++];
      }
    }
    std::int64_t step = stride[from_end - 1];
    for (int i = to_end - 1; i >= to; --i) {
      out[i] = step;
      step *= shape[i];
    }
    from = from_end;
    to = to_end;
  }
  for (; to < shape.rank(); ++to) out[to] = 1;  // the remaining dimensions have size 1
  return out;
}

Tensor dense_copy(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  detail::copy_elements(x, y);
  return y;
}

/// Attributes of reshape and broadcast_to.
struct To {
  Shape shape;
};

constexpr OpDef<To> kReshape{
    "reshape", nullptr,
    [](Call<To>& call) {
      const Tensor& x = call.inputs[0];
      const auto strides =
          x.count() == 0 ? contiguous_strides(call.attrs.shape) : view_strides(x, call.attrs.shape);
      call.outputs = {
          strides ? x.view(call.attrs.shape, *strides)
                  : dense_copy(x).view(call.attrs.shape, contiguous_strides(call.attrs.shape))};
    },
    [](const Call<To>& call, std::span<const Tensor> dy) -> Tensors {
      return {reshape(dy[0], call.in[0].shape)};
    },
    []() -> std::vector<Sample> {
      return {{"merge",
               {{{2, 3, 4}}},
               [](const Tensors& x) {
                 return Tensors{reshape(x[0], {6, 4})};
               }},
              {"split with -1",
               {{{6, 4}}},
               [](const Tensors& x) {
                 return Tensors{reshape(x[0], {2, -1, 2, 2})};
               }},
              {"needs a copy",
               {{{3, 4}}},
               [](const Tensors& x) { return Tensors{reshape(transpose(x[0], 0, 1), {12})}; }},
              {"splits a strided row", {{{2, 3, 8}}}, [](const Tensors& x) {
                 return Tensors{reshape(narrow(x[0], 2, 4, 4), {2, 3, 2, 2})};
               }}};
    }};

struct Axes {
  std::vector<int> axes;
};
constexpr OpDef<Axes> kPermute{
    "permute", nullptr,
    [](Call<Axes>& call) {
      const Tensor& x = call.inputs[0];
      Shape shape;
      Strides strides;
      for (const int a : call.attrs.axes) {
        shape.push_back(x.size(a));
        strides.push_back(x.strides()[a]);
      }
      call.outputs = {x.view(shape, strides)};
    },
    [](const Call<Axes>& call, std::span<const Tensor> dy) -> Tensors {
      std::vector<int> inverse(call.attrs.axes.size());
      for (std::size_t i = 0; i < inverse.size(); ++i) {
        inverse[static_cast<std::size_t>(call.attrs.axes[i])] = static_cast<int>(i);
      }
      return {permute(dy[0], inverse)};
    },
    []() -> std::vector<Sample> {
      return {
          {"rotate",
           {{{2, 3, 4}}},
           [](const Tensors& x) {
             return Tensors{permute(x[0], {2, 0, 1})};
           }},
          {"matrix", {{{3, 5}}}, [](const Tensors& x) { return Tensors{transpose(x[0], 0, -1)}; }}};
    }};

/// Attributes of split and concat. forward of concat sets `sizes`, for its vjp.
struct Cut {
  std::vector<std::int64_t> sizes;
  int axis = 0;
};
constexpr OpDef<Cut> kSplit{
    "split", nullptr,
    [](Call<Cut>& call) {
      const Tensor& x = call.inputs[0];
      std::int64_t begin = 0;
      for (const std::int64_t n : call.attrs.sizes) {
        Shape shape = x.shape();
        shape[call.attrs.axis] = n;
        call.outputs.push_back(x.view(shape, x.strides(), begin * x.strides()[call.attrs.axis]));
        begin += n;
      }
    },
    [](const Call<Cut>& call, std::span<const Tensor> dy) -> Tensors {
      Tensors parts(dy.begin(), dy.end());
      const Tensor& some =
          *std::find_if(parts.begin(), parts.end(), [](const Tensor& t) { return t.defined(); });
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].defined()) continue;
        Shape shape = call.in[0].shape;
        shape[call.attrs.axis] = call.attrs.sizes[i];
        parts[i] = Tensor::zeros(shape, some.dtype(), some.device());
      }
      return {concat(parts, call.attrs.axis)};
    },
    []() -> std::vector<Sample> {
      return {{"last axis",
               {{{2, 3, 6}}},
               [](const Tensors& x) {
                 return Tensors(split(x[0], {1, 2, 3}, -1));
               }},
              {"first axis, one part unused", {{{5, 2}}}, [](const Tensors& x) {
                 return Tensors{split(x[0], {2, 3}, 0)[1]};
               }}};
    }};

struct Range {
  int axis = 0;
  std::int64_t begin = 0, length = 0;
};
constexpr OpDef<Range> kNarrow{
    "narrow", nullptr,
    [](Call<Range>& call) {
      const Tensor& x = call.inputs[0];
      const auto [axis, begin, length] = call.attrs;
      Shape shape = x.shape();
      shape[axis] = length;
      call.outputs = {x.view(shape, x.strides(), begin * x.strides()[axis])};
    },
    [](const Call<Range>& call, std::span<const Tensor> dy) -> Tensors {
      Tensor dx = Tensor::zeros(call.in[0].shape, call.in[0].dtype, dy[0].device());
      detail::copy_elements(dy[0],
                            narrow(dx, call.attrs.axis, call.attrs.begin, call.attrs.length));
      return {dx};
    },
    []() -> std::vector<Sample> {
      return {{"middle", {{{2, 5, 3}}}, [](const Tensors& x) {
                 return Tensors{narrow(x[0], 1, 1, 3)};
               }}};
    }};

/// Copies the parts side by side along the axis of y, as many in a launch as its arguments hold.
void join(std::span<const Tensor> parts, int axis, const Tensor& y) {
  if (y.count() == 0) return;
  const NoGrad off;
  const int inner = y.rank() - axis;
  std::int64_t run = 1;  // elements of a row of y
  for (int i = axis; i < y.rank(); ++i) run *= y.size(i);
  args::Concat a{};
  a.y = y.data();
  a.rows = y.count() / run;
  a.y_stride = run;
  a.rows_per_block =
      detail::rows_per_block(*y.device(), run / static_cast<std::int64_t>(parts.size()));
  std::vector<detail::Rows> kept;  // operands of the launch, which may be copies
  std::int64_t begin = 0;
  const auto launch = [&] {
    if (kept.empty()) return;
    y.device()->launch(
        "concat", jit::KernelSpec("concat", {y.dtype()}),
        {detail::blocks(a.rows, a.rows_per_block), static_cast<std::int64_t>(kept.size())}, a);
    kept.clear();
  };
  for (const Tensor& part : parts) {
    if (part.count() == 0) continue;
    const detail::Rows rows = detail::rows_of(part, inner);
    a.parts[kept.size()] = {rows.x.data(), rows.width, begin, rows.stride};
    begin += rows.width;
    kept.push_back(rows);
    if (kept.size() == args::kMaxConcatParts) launch();
  }
  launch();
}

constexpr OpDef<Cut> kConcat{
    "concat",
    [](std::span<const Tensor> x, const Cut& a) -> std::vector<TensorSpec> {
      Shape shape = x[0].shape();
      shape[a.axis] = 0;
      for (const Tensor& t : x) {
        Shape rest = t.shape();
        bool fits = t.rank() == shape.rank() && t.dtype() == x[0].dtype();
        if (fits) {
          rest[a.axis] = shape[a.axis];
          fits = rest == shape;
        }
        if (!fits)
          throw ShapeError(str("[concat] ", t, " does not fit ", x[0], " along axis ", a.axis));
        shape[a.axis] += t.size(a.axis);
      }
      return {{shape, x[0].dtype()}};
    },
    [](Call<Cut>& call) {
      for (const Tensor& t : call.inputs) call.attrs.sizes.push_back(t.size(call.attrs.axis));
      join(call.inputs, call.attrs.axis, call.outputs[0]);
    },
    [](const Call<Cut>& call, std::span<const Tensor> dy) -> Tensors {
      return split(dy[0], call.attrs.sizes, call.attrs.axis);
    },
    []() -> std::vector<Sample> {
      return {{"middle axis",
               {{{2, 1, 3}}, {{2, 4, 3}}},
               [](const Tensors& x) {
                 return Tensors{concat({x[0], x[1]}, 1)};
               }},
              {"first axis, nine parts, some of wider rows",
               {{{3, 2}}, {{1, 4}}},
               [](const Tensors& x) {
                 const Tensor half = narrow(x[1], 1, 1, 2);
                 return Tensors{concat({x[0], half, x[0], half, half, x[0], half, x[0], half}, 0)};
               }},
              {"last axis, three parts", {{{2, 2}}, {{2, 1}}, {{2, 3}}}, [](const Tensors& x) {
                 return Tensors{concat({x[0], x[1], x[2]}, -1)};
               }}};
    }};

constexpr OpDef<To> kBroadcast{
    "broadcast_to", nullptr,
    [](Call<To>& call) {
      const Tensor& x = call.inputs[0];
      Strides strides = call.attrs.shape;
      for (int i = 1; i <= strides.rank(); ++i) {
        strides[-i] = i <= x.rank() && x.size(-i) != 1 ? x.strides()[-i] : 0;
      }
      call.outputs = {x.view(call.attrs.shape, strides)};
    },
    [](const Call<To>& call, std::span<const Tensor> dy) -> Tensors {
      return {detail::sum_to(dy[0], call.in[0].shape)};
    },
    []() -> std::vector<Sample> {
      return {{"new and stretched axes", {{{3, 1}}}, [](const Tensors& x) {
                 return Tensors{broadcast_to(x[0], {2, 3, 4})};
               }}};
    }};

constexpr OpDef<NoAttrs> kContiguous{
    "contiguous",
    [](std::span<const Tensor> x, const NoAttrs&) -> std::vector<TensorSpec> {
      return {x[0].spec()};
    },
    [](Call<NoAttrs>& call) { detail::copy_elements(call.inputs[0], call.outputs[0]); },
    [](const Call<NoAttrs>&, std::span<const Tensor> dy) -> Tensors { return {dy[0]}; },
    []() -> std::vector<Sample> {
      return {{"transposed", {{{3, 4}}}, [](const Tensors& x) {
                 return Tensors{contiguous(transpose(x[0], 0, 1))};
               }}};
    }};

}  // namespace

Tensor reshape(const Tensor& x, const Shape& wanted) {
  Shape shape = wanted;
  std::int64_t known = 1;
  int open = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1 && open < 0)
      open = i;
    else
      known *= shape[i];
  }
  if (open >= 0 && known > 0) shape[open] = x.count() / known;
  if (known < 0 || element_count(shape) != x.count()) {
    throw ShapeError(
        str("[reshape] ", x, " has ", x.count(), " elements and cannot be reshaped to ", wanted));
  }
  return shape == x.shape() ? x : apply(kReshape, {x}, To{shape})[0];
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  Axes a;
  std::vector<bool> seen(static_cast<std::size_t>(x.rank()));
  for (const int axis : axes) {
    a.axes.push_back(x.shape().axis(axis));
    seen[static_cast<std::size_t>(a.axes.back())] = true;
  }
  if (static_cast<int>(axes.size()) != x.rank() ||
      std::count(seen.begin(), seen.end(), false) > 0) {
    throw ShapeError(
        str("[permute] axes must name each of the ", x.rank(), " axes of ", x, " once"));
  }
  return apply(kPermute, {x}, a)[0];
}

Tensor transpose(const Tensor& x, int a, int b) {
  std::vector<int> axes(static_cast<std::size_t>(x.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<std::size_t>(x.shape().axis(a))],
            axes[static_cast<std::size_t>(x.shape().axis(b))]);
  return permute(x, axes);
}

Tensor narrow(const Tensor& x, int axis, std::int64_t begin, std::int64_t length) {
  const int a = x.shape().axis(axis);
  if (begin < 0 || length < 0 || begin + length > x.size(a)) {
    throw ShapeError(str("[narrow] [", begin, ", ", begin + length, ") is out of range for axis ",
                         a, " of ", x));
  }
  return apply(kNarrow, {x}, Range{a, begin, length})[0];
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis) {
  const int a = x.shape().axis(axis);
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  if (total != x.size(a) ||
      std::any_of(sizes.begin(), sizes.end(), [](std::int64_t n) { return n < 0; })) {
    throw ShapeError(
        str("[split] the sizes add up to ", total, ", not to the size of axis ", a, " of ", x));
  }
  return apply(kSplit, {x}, Cut{sizes, a});
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw InvalidArgument("[concat] no tensors given");
  return apply(kConcat, std::span<const Tensor>(parts), Cut{{}, parts[0].shape().axis(axis)})[0];
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (broadcast_shapes(x.shape(), shape, "broadcast_to") != shape) {
    throw ShapeError(str("[broadcast_to] ", x, " does not broadcast to ", shape));
  }
  return apply(kBroadcast, {x}, To{shape})[0];
}

Tensor contiguous(const Tensor& x) {
  return x.is_contiguous() ? x : apply(kContiguous, {x})[0];
}

std::vector<OpEntry> detail::layout_ops() {
  return {entry_of(kReshape), entry_of(kPermute),   entry_of(kSplit),     entry_of(kNarrow),
          entry_of(kConcat),  entry_of(kBroadcast), entry_of(kContiguous)};
}

}  // namespace eflow

#include "eflow/core/tensor/launch.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/copies/divisor.hpp"
#include "eflow/core/copies/permuted_copy.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow::detail {
namespace {

constexpr int kY = args::kMaxOperands;

/// Returns the strides of x broadcast to `shape`: 0 in broadcast dimensions.
Strides broadcast_strides(const Tensor& x, const Shape& shape) {
  Strides out = shape;
  for (int i = 1; i <= shape.rank(); ++i) {
    const bool has = i <= x.rank() && x.size(-i) == shape[-i];
    out[-i] = has ? x.strides()[-i] : 0;
  }
  return out;
}

/// The dimensions of a launch. Adjacent dimensions are merged if every operand walks them with one
/// stride: fewer, longer inner loops.
struct Loop {
  Shape size;
  Strides stride[kY + 1];

  void add(std::int64_t n, const std::int64_t* strides) {
    if (n == 1) return;
    const int last = size.rank() - 1;
    bool merge = last >= 0;
    for (int t = 0; merge && t <= kY; ++t) merge = stride[t][last] == strides[t] * n;
    if (merge) {
      size[last] *= n;
      for (int t = 0; t <= kY; ++t) stride[t][last] = strides[t];
    } else {
      size.push_back(n);
      for (int t = 0; t <= kY; ++t) stride[t].push_back(strides[t]);
    }
  }
};

/// Returns args::Elementwise::run for elements of at most `bytes` bytes.
int run_of(const args::Elementwise& a, std::int64_t bytes) {
  const auto fits = [&](const void* memory, int t, std::int64_t run) {
    bool whole = reinterpret_cast<std::uintptr_t>(memory) % 16 == 0 && a.inner_stride[t] == 1;
    for (int d = 0; d < a.outer_rank; ++d) whole = whole && a.outer_stride[t][d] % run == 0;
    return whole;
  };
  for (const std::int64_t run : {16 / bytes, std::int64_t{2}}) {
    bool all = fits(a.y, kY, run) && (a.outer == 1 || a.inner % run == 0);
    for (int t = 0; t < a.operands; ++t)
      all = all && (fits(a.x[t], t, run) || (a.inner_stride[t] == 0 && run != 2));
    if (all) return static_cast<int>(run);
  }
  return 1;
}

/// Copies `from` to `to` by tiles, if that gains something there. Returns whether it did.
bool copy_by_tiles(const Tensor& from, const Tensor& to) {
  Device& device = *to.device();
  const auto bytes = static_cast<std::int64_t>(size_of(to.dtype()));
  if (!device.block_shape().tiles_copies || from.shape() != to.shape()) return false;
  if (from.dtype() != to.dtype() || (to.dtype() != DType::kF32 && to.dtype() != DType::kBF16))
    return false;
  std::optional<PermutedCopy> plan =
      plan_permuted_copy(to.shape(), from.strides(), to.strides(), bytes);
  if (!plan) return false;
  plan->args.x = from.data();
  plan->args.y = to.data();
  device.launch("permute", jit::KernelSpec("permute", {to.dtype()}, {plan->rank, plan->rank_of_y}),
                {plan->tiles}, plan->args);
  return true;
}

}  // namespace

void launch_elementwise(args::Function f, const Tensor& y, std::initializer_list<Tensor> x,
                        double scalar0, double scalar1) {
  if (y.count() == 0) return;
  args::Elementwise a{};
  a.y = y.data();
  a.scalar[0] = scalar0;
  a.scalar[1] = scalar1;
  a.operands = static_cast<int>(x.size());
  Strides strides[kY + 1];
  for (Strides& s : strides) s = y.strides();  // absent operands do not prevent merging
  int n = 0;
  for (const Tensor& t : x) {
    a.x[n] = t.data();
    strides[n++] = broadcast_strides(t, y.shape());
  }
  Loop loop;
  for (int d = 0; d < y.rank(); ++d) {
    std::int64_t at[kY + 1];
    for (int t = 0; t <= kY; ++t) at[t] = strides[t][d];
    loop.add(y.size(d), at);
  }
  const std::int64_t one[kY + 1] = {1, 1, 1, 1, 1};
  if (loop.size.rank() == 0) {
    loop.size.push_back(1);
    for (int t = 0; t <= kY; ++t) loop.stride[t].push_back(one[t]);
  }
  const int inner = loop.size.rank() - 1;
  a.inner = loop.size[inner];
  a.outer = 1;
  a.outer_rank = inner;
  for (int t = 0; t <= kY; ++t) a.inner_stride[t] = loop.stride[t][inner];
  for (int d = 0; d < inner; ++d) {
    a.outer *= loop.size[d];
    a.outer_size[d] = divisor(loop.size[d]);
    for (int t = 0; t <= kY; ++t) a.outer_stride[t][d] = loop.stride[t][d];
  }
  const std::int64_t elements = y.device()->block_shape().elements;
  a.elements_per_block = elements;
  a.rows_per_block = std::max<std::int64_t>(1, elements / a.inner);
  const jit::Grid grid{a.outer == 1 ? blocks(a.inner, a.elements_per_block)
                                    : blocks(a.outer, a.rows_per_block)};
  const DType operand = x.size() ? x.begin()->dtype() : y.dtype();
  a.run = run_of(a, static_cast<std::int64_t>(std::max(size_of(operand), size_of(y.dtype()))));
  y.device()->launch("elementwise", jit::KernelSpec("elementwise", {operand, y.dtype()}, {f}), grid,
                     a);
}

void copy_elements(const Tensor& from, const Tensor& to) {
  if (to.count() > 0 && copy_by_tiles(from, to)) return;
  launch_elementwise(args::kCopy, to, {from});
}

void mark_written(const Tensor& tensor) {
  ++tensor.node()->storage->version;
}

DType floating_dtype(const Tensor& x, std::string_view op) {
  if (!is_floating(x.dtype())) {
    throw InvalidArgument(
        str("[", op, "] ", x, " does not have a floating dtype; expected f32, f64 or bf16"));
  }
  return x.dtype();
}

void require_positions_near(std::string_view op, const Tensor& positions, const Tensor& q) {
  if (!positions.defined() || positions.device() == q.device()) return;
  throw InvalidArgument(str("[", op, "] positions are on ", positions.device()->name(),
                            ", q is on ", q.device()->name(), "; make them on the device of q"));
}

void require_same_dtype(std::string_view op, std::initializer_list<Tensor> x) {
  for (const Tensor& t : x) {
    if (t.defined() && t.dtype() != x.begin()->dtype()) {
      throw InvalidArgument(
          str("[", op, "] dtypes differ: ", *x.begin(), " and ", t, "; cast one of them"));
    }
  }
}

std::int64_t rows_per_block(const Device& device, std::int64_t row_elements) {
  const BlockShape shape = device.block_shape();
  return std::max(shape.least_rows, shape.elements / std::max<std::int64_t>(1, row_elements));
}

}  // namespace eflow::detail

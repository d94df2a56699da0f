// In-place operations of a training step, not recorded: parameter update, moving average,
// accumulation, norm.

#include "eflow/kernels_src/args/optimizer.h"

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/adamw_numbers.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

/// Elements per block.
constexpr std::int64_t kPerBlock = 16384;

/// Throws unless `target` can be written in place from `source`.
void check_pair(std::string_view op, const Tensor& target, const Tensor& source) {
  if (target.shape() != source.shape()) {
    throw ShapeError(str("[", op, "] shapes differ: ", target, " and ", source));
  }
  if (!target.is_contiguous() || !source.is_contiguous()) {
    throw InvalidArgument(str("[", op, "] ", target, " and ", source, " must be contiguous"));
  }
  const bool widens = target.dtype() == DType::kF32 && source.dtype() == DType::kBF16;
  if (target.dtype() != source.dtype() && !widens) {
    throw InvalidArgument(str("[", op, "] dtypes differ: ", target, " and ", source));
  }
}

/// Throws unless x is f32 or f64, as optimizer state must be.
void check_master(std::string_view op, const Tensor& x) {
  if (x.dtype() != DType::kF32 && x.dtype() != DType::kF64) {
    throw InvalidArgument(str("[", op, "] ", x, " must be f32 or f64"));
  }
}

}  // namespace

void adamw_(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& grad,
            const AdamWStep& step) {
  check_master("adamw", p);
  for (const Tensor& state : {m, v}) {
    check_pair("adamw", p, state);
    detail::require_same_dtype("adamw", {p, state});
  }
  check_pair("adamw", p, grad);
  if (step.step < 1)
    throw InvalidArgument(str("[adamw] step is ", step.step, "; expected 1 or more"));
  if (p.count() == 0) return;
  args::AdamW a{};
  a.p = p.data();
  a.m = m.data();
  a.v = v.data();
  a.grad = grad.data();
  a.grad_scale = step.grad_scale;
  detail::fill_adamw(step, a);
  a.count = p.count();
  a.per_block = kPerBlock;
  p.device()->launch("adamw", jit::KernelSpec("adamw", {p.dtype(), grad.dtype()}),
                     {detail::blocks(a.count, kPerBlock)}, a);
  for (const Tensor& t : {p, m, v}) detail::mark_written(t);
}

void lerp_(const Tensor& average, const Tensor& value, double decay) {
  check_master("lerp", average);
  check_pair("lerp", average, value);
  if (average.count() == 0) return;
  args::Lerp a{};
  a.average = average.data();
  a.value = value.data();
  a.weight = 1 - decay;
  a.count = average.count();
  a.per_block = kPerBlock;
  average.device()->launch("lerp", jit::KernelSpec("lerp", {average.dtype(), value.dtype()}),
                           {detail::blocks(a.count, kPerBlock)}, a);
  detail::mark_written(average);
}

void add_(const Tensor& y, const Tensor& x) {
  check_pair("add_", y, x);
  const NoGrad off;
  detail::launch_elementwise(args::kAdd, y, {y, cast(x, y.dtype())});
  detail::mark_written(y);
}

void scale_(const Tensor& x, double factor) {
  static_cast<void>(detail::floating_dtype(x, "scale_"));
  if (!x.is_contiguous()) throw InvalidArgument(str("[scale_] ", x, " must be contiguous"));
  detail::launch_elementwise(args::kAffine, x, {x}, factor, 0);
  detail::mark_written(x);
}

double sum_of_squares(const std::vector<Tensor>& tensors) {
  if (tensors.empty()) return 0;
  const NoGrad off;
  std::int64_t total = 0;
  for (const Tensor& t : tensors) total += detail::blocks(t.count(), kPerBlock);
  const Tensor partials = Tensor::empty({total}, DType::kF64, tensors[0].device());
  double* next = static_cast<double*>(partials.data());
  for (const Tensor& t : tensors) {
    const Tensor dense = contiguous(t);
    const jit::Grid grid{detail::blocks(t.count(), kPerBlock)};
    if (grid.x == 0) continue;
    const DType dtype = detail::floating_dtype(t, "sum_of_squares");
    t.device()->launch("sum_of_squares", jit::KernelSpec("sum_of_squares", {dtype}), grid,
                       args::SumOfSquares{dense.data(), next, t.count(), kPerBlock});
    next += grid.x;
  }
  double sum = 0;
  for (const double part : partials.to_vector<double>()) sum += part;
  return sum;
}

}  // namespace eflow

#include "eflow/core/ops/parameter_list.hpp"

#include <cstring>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/adamw_numbers.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/weight_copy.hpp"
#include "eflow/kernels_src/args/optimizer.h"

namespace eflow {
namespace {

/// The table is an i64 tensor: a row as 64-bit words.
constexpr std::int64_t kRowWords = sizeof(args::ParameterRow) / sizeof(std::int64_t);
static_assert(sizeof(args::ParameterRow) % sizeof(std::int64_t) == 0);

/// Throws unless `state` has the shape, dtype, layout and device of `value`.
void check_state(const Tensor& value, const Tensor& state) {
  if (state.shape() != value.shape()) {
    throw ShapeError(str("[parameters] shapes differ: ", state, " and ", value));
  }
  detail::require_same_dtype("parameters", {value, state});
  if (!state.is_contiguous() || state.device() != value.device()) {
    throw InvalidArgument(
        str("[parameters] ", state, " must be contiguous and on the device of ", value));
  }
}

void check(const ListedParameter& parameter, const Tensor& first) {
  const Tensor& value = parameter.value;
  if (value.dtype() != DType::kF32 && value.dtype() != DType::kF64) {
    throw InvalidArgument(str("[parameters] ", value, " must be f32 or f64"));
  }
  detail::require_same_dtype("parameters", {first, value});
  if (!value.is_contiguous() || value.device() != first.device()) {
    throw InvalidArgument(
        str("[parameters] ", value, " must be contiguous and on the device of the others"));
  }
  check_state(value, parameter.m);
  check_state(value, parameter.v);
  if (parameter.average.defined()) check_state(value, parameter.average);
}

}  // namespace

ParameterList::ParameterList(std::vector<ListedParameter> parameters)
    : parameters_(std::move(parameters)) {
  for (const ListedParameter& parameter : parameters_) check(parameter, parameters_[0].value);
}

void ParameterList::write_table() {
  std::vector<std::int64_t> words(parameters_.size() * static_cast<std::size_t>(kRowWords));
  blocks_ = 0;
  copied_.clear();
  const auto copy_of = [&](const Tensor& t) {
    void* const copy = detail::current_copy(t);
    if (copy != nullptr) copied_.push_back(t);
    return copy;
  };
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const ListedParameter& parameter = parameters_[i];
    args::ParameterRow row{};
    row.p = parameter.value.data();
    row.m = parameter.m.data();
    row.v = parameter.v.data();
    row.grad = gradients_[i].defined() ? gradients_[i].data() : nullptr;
    row.average = parameter.average.defined() ? parameter.average.data() : nullptr;
    row.p_bf16 = copy_of(parameter.value);
    row.average_bf16 = copy_of(parameter.average);
    row.count = parameter.value.count();
    row.first_block = blocks_;
    blocks_ += detail::blocks(row.count, kPerBlock);
    std::memcpy(&words[i * static_cast<std::size_t>(kRowWords)], &row, sizeof row);
  }
  table_ = Tensor::from(words, {static_cast<std::int64_t>(parameters_.size()), kRowWords},
                        parameters_[0].value.device());
}

Tensor ParameterList::total_of(const Tensor& block_squares) {
  if (block_squares.count() == 0) return Tensor::zeros({1}, DType::kF64);
  const NoGrad off;
  return reshape(sum(block_squares, {0}), {1});
}

Tensor ParameterList::block_squares() {
  if (parameters_.empty()) return Tensor::empty({0}, DType::kF64);
  const NoGrad off;
  const Tensor& first = parameters_[0].value;
  std::optional<DType> dtype;
  gradients_.clear();
  for (const ListedParameter& parameter : parameters_) {
    const Tensor gradient = parameter.value.grad();
    gradients_.push_back(gradient.defined() ? contiguous(gradient) : Tensor());
    if (!gradient.defined()) continue;
    const bool fits = gradient.dtype() == first.dtype() ||
                      (first.dtype() == DType::kF32 && gradient.dtype() == DType::kBF16);
    if (!fits || (dtype && *dtype != gradient.dtype())) {
      throw InvalidArgument(
          str("[parameters] gradient ", gradient, " of ", parameter.value,
              "; expected one dtype for all: that of the values, or bf16 if they are f32"));
    }
    dtype = gradient.dtype();
  }
  gradient_dtype_ = dtype.value_or(first.dtype());
  write_table();
  const Tensor partial = Tensor::empty({blocks_}, DType::kF64, first.device());
  first.device()->launch(
      "squares_list", jit::KernelSpec("squares_list", {gradient_dtype_}), {blocks_},
      args::SquaresList{static_cast<const args::ParameterRow*>(table_.data()),
                        static_cast<double*>(partial.data()), table_.size(0), kPerBlock});
  return partial;
}

void ParameterList::update(const ListStep& step, const Tensor& squared_norm) {
  if (parameters_.empty()) return;
  const AdamWStep& adamw = step.adamw;
  if (adamw.step < 1 || gradients_.size() != parameters_.size()) {
    throw InvalidArgument(
        str("[parameters] update() needs squared_norm() first, and a step of at least 1; step is ",
            adamw.step));
  }
  if (squared_norm.dtype() != DType::kF64 || squared_norm.count() != 1) {
    throw InvalidArgument(
        str("[parameters] squared norm ", squared_norm, "; expected one f64 element"));
  }
  args::AdamWList a{};
  a.rows = static_cast<const args::ParameterRow*>(table_.data());
  a.squared_norm = static_cast<const double*>(squared_norm.data());
  a.row_count = table_.size(0);
  a.per_block = kPerBlock;
  a.clip = step.clip;
  detail::fill_adamw(adamw, a);
  a.average_weight = 1 - step.average_decay;
  const DType dtype = parameters_[0].value.dtype();
  table_.device()->launch("adamw_list", jit::KernelSpec("adamw_list", {dtype, gradient_dtype_}),
                          {blocks_}, a);
  for (const ListedParameter& p : parameters_) {
    for (const Tensor& t : {p.value, p.m, p.v, p.average}) {
      if (t.defined()) detail::mark_written(t);
    }
  }
  for (const Tensor& t : copied_) detail::mark_copied(t);
  // The next step's gradients can have this memory.
  gradients_.clear();
  table_ = {};
}

}  // namespace eflow

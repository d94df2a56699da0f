#pragma once
// Helpers for ops that launch kernel texts: element-wise launches, copies, checks, block sizes,
// sums over broadcast axes. Not recorded: the ops' vjps use them.

#include <initializer_list>
#include <string_view>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/op.hpp"
#include "eflow/kernels_src/args/elementwise.h"

namespace eflow::detail {

/// Computes y = f(x...) element by element, with up to args::kMaxOperands operands broadcast to the
/// shape of y. Any strides of x; y must be row-major unless f is kCopy. scalar0, scalar1:
/// parameters of f.
void launch_elementwise(args::Function f, const Tensor& y, std::initializer_list<Tensor> x,
                        double scalar0 = 0, double scalar1 = 0);

/// Copies `from` to `to`, broadcasting to its shape and converting its dtype. Any strides.
void copy_elements(const Tensor& from, const Tensor& to);

/// Records an in-place write, so that a vjp that saved this memory throws instead of using changed
/// values.
void mark_written(const Tensor& tensor);

/// Returns x's dtype. Throws InvalidArgument unless it is floating; `op` is for the message.
[[nodiscard]] DType floating_dtype(const Tensor& x, std::string_view op);
/// Throws InvalidArgument if token positions are on another device than q. Positions are
/// attributes, which apply() does not check.
void require_positions_near(std::string_view op, const Tensor& positions, const Tensor& q);
/// Throws InvalidArgument unless all defined tensors have the dtype of the first.
void require_same_dtype(std::string_view op, std::initializer_list<Tensor> x);

/// Returns the number of rows per block so that a block has about as many elements as the device's
/// block_shape() asks for. At least 1.
[[nodiscard]] std::int64_t rows_per_block(const Device& device, std::int64_t row_elements);
/// Returns ceil(count / per_block).
[[nodiscard]] inline std::int64_t blocks(std::int64_t count, std::int64_t per_block) {
  return (count + per_block - 1) / per_block;
}

/// Sums x over its broadcast axes: the result has `shape`, which broadcasts to x's shape. The vjp
/// of broadcasting.
[[nodiscard]] Tensor sum_to(const Tensor& x, const Shape& shape);
/// As sum_to, but returns the accumulator's dtype: for gradients of f32 parameters used with bf16
/// inputs.
[[nodiscard]] Tensor wide_sum_to(const Tensor& x, const Shape& shape);
/// Returns sum_to(x z, shape) without storing the product. z broadcasts to x.
[[nodiscard]] Tensor sum_product_to(const Tensor& x, const Tensor& z, const Shape& shape);

}  // namespace eflow::detail

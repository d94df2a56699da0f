#pragma once
// What ops share for launching kernel texts: element-wise geometry, copies, block sizes.

#include <initializer_list>
#include <string_view>

#include "eflow/core/op.hpp"
#include "eflow/kernels/args/elementwise.h"

namespace eflow::detail {

/// y = f(x...) with the operands broadcast to the shape of y, which must be row-major unless f is kCopy.
void launch_elementwise(args::Function f, const Tensor& y, std::initializer_list<Tensor> x,
                        double scalar0 = 0, double scalar1 = 0);

/// to = from, with conversion; both may be strided, same shape.
void copy_elements(const Tensor& from, const Tensor& to);

/// Notes an in-place write, so that a vjp that saved this memory refuses to run.
void mark_written(const Tensor& tensor);

/// The dtype that an op's Spec names. Throws InvalidArgument unless floating.
[[nodiscard]] DType floating_dtype(const Tensor& x, std::string_view op);
/// Throws InvalidArgument unless all have x's dtype.
void require_same_dtype(std::string_view op, std::initializer_list<Tensor> x);

/// Rows of one block such that a block holds about `elements` elements: enough to outweigh its start.
[[nodiscard]] std::int64_t rows_per_block(std::int64_t row_elements, std::int64_t elements = 16384);
[[nodiscard]] inline std::int64_t blocks(std::int64_t count, std::int64_t per_block) {
  return (count + per_block - 1) / per_block;
}

/// x reduced by summation to `shape`, which broadcasts to x's: the vjp of broadcasting.
[[nodiscard]] Tensor sum_to(const Tensor& x, const Shape& shape);
/// The same sums, not rounded below f32: for the gradient of what stands in f32 beside x of bf16.
[[nodiscard]] Tensor wide_sum_to(const Tensor& x, const Shape& shape);
/// sum_to(x z, shape) without keeping the product; z broadcasts to x.
[[nodiscard]] Tensor sum_product_to(const Tensor& x, const Tensor& z, const Shape& shape);

}  // namespace eflow::detail

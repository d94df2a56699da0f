#pragma once
// The ops on tensors. Unless stated otherwise:
// - Differentiable in all floating inputs; i64 index inputs have no gradient.
// - Dtypes: f32, bf16 or f64, the same for all floating inputs of a call and for its result. Sums
//   accumulate in f32 (f64 for f64).
// - Inputs may have any strides and must be on one device. Results are row-major, except views.
// - Invalid inputs throw ShapeError or InvalidArgument with the op's name and the offending shapes.
// - Results are deterministic and do not depend on the number of threads.
// - Threads: all may be called concurrently (see tensor.hpp for shared tensors).

#include <cstdint>
#include <optional>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/adamw_step.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

// ---- elementwise (core/ops/elementwise.cpp); operands broadcast as in NumPy ---------------------
[[nodiscard]] Tensor operator+(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator-(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator*(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator/(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator-(const Tensor& x);
/// a x + b with scalars a and b.
[[nodiscard]] Tensor affine(const Tensor& x, double a, double b);
[[nodiscard]] inline Tensor operator*(const Tensor& x, double a) {
  return affine(x, a, 0);
}
[[nodiscard]] inline Tensor operator*(double a, const Tensor& x) {
  return affine(x, a, 0);
}
[[nodiscard]] inline Tensor operator+(const Tensor& x, double b) {
  return affine(x, 1, b);
}
[[nodiscard]] inline Tensor operator-(const Tensor& x, double b) {
  return affine(x, 1, -b);
}
[[nodiscard]] inline Tensor operator-(double b, const Tensor& x) {
  return affine(x, -1, b);
}
[[nodiscard]] inline Tensor operator/(const Tensor& x, double a) {
  return affine(x, 1 / a, 0);
}
/// a b + c, broadcast: a gated residual x + gate y, or a scale and shift.
[[nodiscard]] Tensor mul_add(const Tensor& a, const Tensor& b, const Tensor& c);
/// Elementwise maximum; NaN where a or b is NaN. Where a = b, the gradient goes to a.
[[nodiscard]] Tensor maximum(const Tensor& a, const Tensor& b);
/// max(x, low) with a scalar low; the gradient is 0 unless x > low.
[[nodiscard]] Tensor clamp_min(const Tensor& x, double low);
[[nodiscard]] Tensor exp(const Tensor& x);
[[nodiscard]] Tensor log(const Tensor& x);
[[nodiscard]] Tensor sqrt(const Tensor& x);
/// 1 / sqrt(x).
[[nodiscard]] Tensor rsqrt(const Tensor& x);
[[nodiscard]] Tensor square(const Tensor& x);
[[nodiscard]] Tensor reciprocal(const Tensor& x);
[[nodiscard]] Tensor sigmoid(const Tensor& x);
/// x sigmoid(x).   [arXiv 1702.03118]
[[nodiscard]] Tensor silu(const Tensor& x);
/// GELU in its tanh form.   [arXiv 1606.08415]
[[nodiscard]] Tensor gelu(const Tensor& x);
[[nodiscard]] Tensor tanh(const Tensor& x);
/// max(x, 0); NaN stays NaN.
[[nodiscard]] Tensor relu(const Tensor& x);
[[nodiscard]] Tensor sin(const Tensor& x);
[[nodiscard]] Tensor cos(const Tensor& x);
/// Converts to another floating dtype; to bf16 rounds to nearest, ties to even. Returns x itself if
/// it already has the dtype.
[[nodiscard]] Tensor cast(const Tensor& x, DType dtype);

// ---- layout (core/ops/layout.cpp); any dtype ----------------------------------------------------
/// Returns x with another shape of the same element count; one size may be -1 (inferred). A view if
/// the strides allow it, otherwise a copy.
[[nodiscard]] Tensor reshape(const Tensor& x, const Shape& shape);
/// Returns a view whose axis i is axis axes[i] of x. axes: a permutation of 0 .. rank-1.
[[nodiscard]] Tensor permute(const Tensor& x, const std::vector<int>& axes);
/// Returns a view with two axes swapped.
[[nodiscard]] Tensor transpose(const Tensor& x, int a, int b);
/// Returns a view of the elements [begin, begin + length) of an axis.
[[nodiscard]] Tensor narrow(const Tensor& x, int axis, std::int64_t begin, std::int64_t length);
/// Splits an axis into views of the given sizes, which must add up to its size. The backward pass
/// concatenates their gradients with one copy.
[[nodiscard]] std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes,
                                        int axis);
/// Joins tensors of one dtype along an axis; all other sizes must be equal.
[[nodiscard]] Tensor concat(const std::vector<Tensor>& parts, int axis);
/// Returns a view with stride 0 in the broadcast dimensions.
[[nodiscard]] Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// Returns x itself if it is row-major, otherwise a row-major copy.
[[nodiscard]] Tensor contiguous(const Tensor& x);

// ---- reductions (core/ops/reduce.cpp) -----------------------------------------------------------
/// Sum and mean over the given axes (all if empty). keep: reduced axes remain with size 1. mean
/// throws ShapeError for an empty tensor.
[[nodiscard]] Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);
[[nodiscard]] Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);

// ---- matrix products (core/ops/matmul.cpp, linear.cpp) ------------------------------------------
/// Batched matrix product: a [..., M, K], b [..., K, N] -> [..., M, N]; leading dimensions
/// broadcast. Strided operands (transposed, heads inside a wider row) are used without a copy.
[[nodiscard]] Tensor matmul(const Tensor& a, const Tensor& b);
/// x w^T + b: x [..., K], w [N, K], b [N] or undefined -> [..., N]. If x is bf16, w and b may be
/// f32 master weights: they are rounded to bf16 for the product, and their gradients are f32. out:
/// dtype of the result, by default that of x; f32 is allowed if x is bf16.
[[nodiscard]] Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b = Tensor(),
                            std::optional<DType> out = {});
/// linear(gelu(linear(x, up, up_bias)), down, down_bias): x [..., K], up [F, K], down [N, F],
/// biases [F] and [N] or undefined -> [..., N]. Dtypes as for linear. On a GPU, GELU and its
/// gradient are fused into the products.
[[nodiscard]] Tensor feed_forward(const Tensor& x, const Tensor& up, const Tensor& up_bias,
                                  const Tensor& down, const Tensor& down_bias,
                                  std::optional<DType> out = {});

// ---- rows (core/ops/norm.cpp, rope.cpp, softmax.cpp, embedding.cpp, tokens.cpp, loss.cpp) -------
/// Layer norm over the last axis: (x - mean) / sqrt(var + eps) weight + bias.   [arXiv 1607.06450]
/// x [..., D]; weight, bias [D] or undefined (1, 0). out: dtype of the result, by default that of
/// x; bf16 is allowed if x is f32.
[[nodiscard]] Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                double eps, std::optional<DType> out = {});
/// AdaLN: layer_norm(x) (1 + scale) + shift, in one pass over x.   [arXiv 2212.09748]
/// x [B, N, D]; scale, shift [B, D]. out: as for layer_norm.
[[nodiscard]] Tensor modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                          double eps, std::optional<DType> out = {});
/// RMS norm: x / sqrt(mean(x^2) + eps) weight.   [arXiv 1910.07467, Eq. 4]
/// x [..., D]; weight [D] or undefined (1); it may be f32 if x is bf16. The mean is over each of
/// `groups` equal parts of the last axis (1: the whole row; H: each head).
[[nodiscard]] Tensor rms_norm(const Tensor& x, const Tensor& weight, int groups, double eps);
/// Rotary position embedding: rotates channels 2i, 2i+1 of each head.   [arXiv 2104.09864, Eq. 34]
/// x [B, N, H d] or [B, N, H, d]; cos, sin [N, d/2] or [B, N, d/2], of each pair's angle, of
/// x's dtype or f32 if x is bf16; no gradient to them.
[[nodiscard]] Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, int heads);
/// Softmax over the last axis.
[[nodiscard]] Tensor softmax(const Tensor& x);
/// Looks up rows of a table: table [R, D], ids i64 [...] -> [..., D]. Throws InvalidArgument for an
/// id outside [0, R). Gradients of repeated rows are summed in a fixed order.
[[nodiscard]] Tensor embedding(const Tensor& table, const Tensor& ids);
/// Selects tokens of each sample: x [B, N, D], ids i64 [B, M] -> [B, M, D]. Throws InvalidArgument
/// for an id outside [0, N) or repeated within a sample.
[[nodiscard]] Tensor gather_tokens(const Tensor& x, const Tensor& ids);
/// Inverse of gather_tokens: token ids[b, m] of the result [B, tokens, D] is x[b, m]; all others
/// are `fill`. x [B, M, D], ids i64 [B, M], fill [D]. Ids as for gather_tokens.
[[nodiscard]] Tensor scatter_tokens(const Tensor& x, const Tensor& ids, const Tensor& fill,
                                    std::int64_t tokens);
/// Mean over rows of -log softmax(logits)[label]: logits [B, C], labels i64 [B] -> scalar. Throws
/// InvalidArgument for a label outside [0, C).
[[nodiscard]] Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

// ---- attention (core/ops/attention.cpp) ---------------------------------------------------------
/// The keys that a query attends to: all, or those at an offset position(key) - position(query) in
/// [-left, right]. Positions count in the full token raster; radii 0, 0 select the token itself.
struct Band {
  bool full = true;  ///< all keys; the radii are ignored
  std::int64_t left = 0, right = 0;
  /// Raster positions of the tokens if some were dropped: i64 [B, N], ascending in each sample.
  /// Undefined: 0 .. N-1.
  Tensor positions = {};
};
/// softmax(scale q k^T) v over the band.   [arXiv 1706.03762, Eq. 1]
/// q [B, Nq, H, d]; k, v [B, Nk, H, d] -> [B, Nq, H, d]. A band that is not full requires Nq = Nk.
/// Works on one block of queries at a time and recomputes the scores in the backward pass: no
/// N x N or N x window matrix is stored.
[[nodiscard]] Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                               const Band& band = {});

// ---- random numbers (core/ops/random.cpp); not differentiable -----------------------------------

/// Standard normal values, and uniform values in [0, 1), of shape [B, ...]. sample_ids: B
/// non-negative ids in host memory, one per row.
[[nodiscard]] Tensor random_normal(const Shape& shape, const RandomKey& key,
                                   const std::vector<std::int64_t>& sample_ids,
                                   DType dtype = DType::kF32,
                                   const DevicePtr& device = default_device());
[[nodiscard]] Tensor random_uniform(const Shape& shape, const RandomKey& key,
                                    const std::vector<std::int64_t>& sample_ids,
                                    DType dtype = DType::kF32,
                                    const DevicePtr& device = default_device());

/// The f32 values of random_uniform and random_normal, computed on the host without waiting for a
/// device: for decisions that the host makes.
[[nodiscard]] std::vector<double> uniform_values(const Shape& shape, const RandomKey& key,
                                                 const std::vector<std::int64_t>& sample_ids);
[[nodiscard]] std::vector<double> normal_values(const Shape& shape, const RandomKey& key,
                                                const std::vector<std::int64_t>& sample_ids);

// ---- in place, not recorded (core/ops/optimizer.cpp) --------------------------------------------

/// Updates a parameter p and its moments m, v. All of one shape, contiguous; p, m, v f32 or f64;
/// grad of the same dtype, or bf16 if they are f32. Throws InvalidArgument if step.step < 1.
void adamw_(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& grad,
            const AdamWStep& step);
/// average += (1 - decay) (value - average): an exponential moving average. average f32 or f64;
/// value of the same dtype, or bf16 if average is f32; both contiguous.
void lerp_(const Tensor& average, const Tensor& value, double decay);
/// y += x, for accumulating gradients. Dtypes and layout as for lerp_; y may also be bf16.
void add_(const Tensor& y, const Tensor& x);
/// x *= factor; x contiguous.
void scale_(const Tensor& x, double factor);
/// Returns the sum of squares of all elements of all tensors, accumulated in f64 in a fixed order.
/// Any floating dtypes. Waits for the device.
[[nodiscard]] double sum_of_squares(const std::vector<Tensor>& tensors);

}  // namespace eflow

EFLOW_EXPORT_END

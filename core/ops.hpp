#pragma once
// Every op on tensors. All are differentiable in their floating inputs unless said. Dtypes: f32, bf16 or f64, the same for
// all floating inputs of one call unless said; sums accumulate in f32 (f64 for f64). Shapes broadcast as in NumPy where it says so.
// Throws ShapeError and InvalidArgument with the op's name and the offending shapes. Deterministic, for any number of threads.

#include <cstdint>
#include <optional>
#include <vector>

#include "eflow/core/autograd.hpp"
#include "eflow/core/tensor.hpp"

namespace eflow {

// ---- element by element (core/ops/elementwise.cpp); two operands broadcast ----------------------------------------
[[nodiscard]] Tensor operator+(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator-(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator*(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator/(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor operator-(const Tensor& x);
/// a x + b with numbers a, b.
[[nodiscard]] Tensor affine(const Tensor& x, double a, double b);
[[nodiscard]] inline Tensor operator*(const Tensor& x, double a) { return affine(x, a, 0); }
[[nodiscard]] inline Tensor operator*(double a, const Tensor& x) { return affine(x, a, 0); }
[[nodiscard]] inline Tensor operator+(const Tensor& x, double b) { return affine(x, 1, b); }
[[nodiscard]] inline Tensor operator-(const Tensor& x, double b) { return affine(x, 1, -b); }
[[nodiscard]] inline Tensor operator-(double b, const Tensor& x) { return affine(x, -1, b); }
[[nodiscard]] inline Tensor operator/(const Tensor& x, double a) { return affine(x, 1 / a, 0); }
/// a b + c: the gated residual x + gate y, and AdaLN's scale and shift.
[[nodiscard]] Tensor mul_add(const Tensor& a, const Tensor& b, const Tensor& c);
[[nodiscard]] Tensor maximum(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor clamp_min(const Tensor& x, double low);
[[nodiscard]] Tensor exp(const Tensor& x);
[[nodiscard]] Tensor log(const Tensor& x);
[[nodiscard]] Tensor sqrt(const Tensor& x);
[[nodiscard]] Tensor rsqrt(const Tensor& x);
[[nodiscard]] Tensor square(const Tensor& x);
[[nodiscard]] Tensor reciprocal(const Tensor& x);
[[nodiscard]] Tensor sigmoid(const Tensor& x);
[[nodiscard]] Tensor silu(const Tensor& x);
/// tanh form. [arXiv 1606.08415]
[[nodiscard]] Tensor gelu(const Tensor& x);
[[nodiscard]] Tensor tanh(const Tensor& x);
[[nodiscard]] Tensor relu(const Tensor& x);
[[nodiscard]] Tensor sin(const Tensor& x);
[[nodiscard]] Tensor cos(const Tensor& x);
/// The same values in another floating dtype; bf16 rounds to nearest even.
[[nodiscard]] Tensor cast(const Tensor& x, DType dtype);

// ---- layout (core/ops/layout.cpp); views where strides allow --------------------------------------------------------
/// One size may be -1. Copies only when the strides do not allow a view.
[[nodiscard]] Tensor reshape(const Tensor& x, const Shape& shape);
/// axes: a permutation of 0 .. rank-1. A view.
[[nodiscard]] Tensor permute(const Tensor& x, const std::vector<int>& axes);
/// Swaps two axes. A view.
[[nodiscard]] Tensor transpose(const Tensor& x, int a, int b);
/// Elements [begin, begin + length) of an axis. A view.
[[nodiscard]] Tensor narrow(const Tensor& x, int axis, std::int64_t begin, std::int64_t length);
/// Cuts an axis into parts of these sizes, which must add up. Views; one copy joins their gradients.
[[nodiscard]] std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis);
[[nodiscard]] Tensor concat(const std::vector<Tensor>& parts, int axis);
/// A view with stride 0 in the new dimensions.
[[nodiscard]] Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// Row-major; the same tensor when it is already.
[[nodiscard]] Tensor contiguous(const Tensor& x);

// ---- reductions (core/ops/reduce.cpp) -------------------------------------------------------------------------------
/// Over the given axes (all when empty); keep leaves them as size 1.
[[nodiscard]] Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);
[[nodiscard]] Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);

// ---- products (core/ops/matmul.cpp, linear.cpp) ---------------------------------------------------------------------------------
/// [..., M, K] x [..., K, N] -> [..., M, N]. Leading dimensions broadcast. Strided operands (transposed, heads taken out
/// of a wider row) are used in place.
[[nodiscard]] Tensor matmul(const Tensor& a, const Tensor& b);
/// x w^T + b: x [..., K], w [N, K], b [N] or undefined -> [..., N]. With x of bf16, w and b may be of f32: they are rounded for
/// the product, their gradients are not (master weights), and `out`, unless given that of x, may be f32 too.
[[nodiscard]] Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b = Tensor(), std::optional<DType> out = {});
/// linear(gelu(linear(x, up, up_bias)), down, down_bias): x [..., K], up [F, K], down [N, F], biases [F] and [N] or undefined
/// -> [..., N]. Dtypes as of linear. On a GPU the products do GELU and its gradient.
[[nodiscard]] Tensor feed_forward(const Tensor& x, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                                  const Tensor& down_bias, std::optional<DType> out = {});

// ---- rows (core/ops/norm.cpp, rope.cpp, softmax.cpp, embedding.cpp, loss.cpp) ---------------------------------------
/// (x - mean) / sqrt(var + eps) over the last axis, times weight plus bias when defined ([D]). out: bf16 where x is f32.
[[nodiscard]] Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, std::optional<DType> out = {});
/// AdaLN: layer_norm(x) (1 + scale) + shift; x [B, N, D], scale and shift [B, D]. One pass over x. out: bf16 where x is f32.
[[nodiscard]] Tensor modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps,
                                          std::optional<DType> out = {});
/// x / sqrt(mean(x^2) + eps) * weight over each of `groups` equal parts of the last axis (1: the whole row; H: per head).
/// weight [D] (all of the last axis) or undefined; f32 beside x of bf16 too.
[[nodiscard]] Tensor rms_norm(const Tensor& x, const Tensor& weight, int groups, double eps);
/// Rotates the pairs (2i, 2i+1) of each head: x [B, N, H d] or [B, N, H, d]; cos, sin [N, d/2] or [B, N, d/2] (no gradient to them).
[[nodiscard]] Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, int heads);
/// Over the last axis.
[[nodiscard]] Tensor softmax(const Tensor& x);
/// Rows of a table: table [R, D], ids i64 [...] -> [..., D]. Throws InvalidArgument for an id outside [0, R).
/// Gradient: table (rows added in a fixed order).
[[nodiscard]] Tensor embedding(const Tensor& table, const Tensor& ids);
/// Chosen tokens of each sample: x [B, N, D], ids i64 [B, M] -> [B, M, D]. Gradient: x; ids must not repeat in a sample.
[[nodiscard]] Tensor gather_tokens(const Tensor& x, const Tensor& ids);
/// The inverse: token ids[b, m] of a result [B, N, D] is x[b, m], all others are `fill` [D]. Gradient: x, fill.
[[nodiscard]] Tensor scatter_tokens(const Tensor& x, const Tensor& ids, const Tensor& fill, std::int64_t tokens);
/// Mean over rows of -log softmax(logits)[label]; logits [B, C], labels i64 [B] -> scalar.
[[nodiscard]] Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

// ---- attention (core/ops/attention.cpp) -----------------------------------------------------------------------------
/// Which keys a query sees: |position of key - position of query| within the radii, in positions of the full token
/// raster; or all of them. R = 0 sees the token itself.
struct Band {
  bool full = true;
  std::int64_t left = 0, right = 0;
  /// i64 [B, N], ascending in a sample: where the tokens stand in the raster (kept tokens). Undefined: 0 .. N-1.
  Tensor positions;
};
/// softmax(scale q k^T) v over the band. q [B, Nq, H, d], k, v [B, Nk, H, d], any strides with stride 1 in d -> [B, Nq, H, d].
/// Blockwise: neither N x N nor N x W is ever kept; the vjp recomputes from the log-sum-exp.   [arXiv 2205.14135]
[[nodiscard]] Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale, const Band& band = {});

// ---- random numbers (core/ops/random.cpp); not differentiable -------------------------------------------------------
/// Counter-based: a value is a function of (seed, purpose, step, sample id, element), not of batch, rank or device.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint32_t purpose = 0;  ///< tells the streams of one step apart: noise, times, dropping, ...
  std::uint64_t step = 0;
};
/// Standard normals / uniforms in [0, 1), shape [B, ...]; sample_ids [B] names row b (host memory; any 63-bit numbers).
[[nodiscard]] Tensor random_normal(const Shape& shape, const RandomKey& key, const std::vector<std::int64_t>& sample_ids,
                                   DType dtype = DType::kF32, const DevicePtr& device = default_device());
[[nodiscard]] Tensor random_uniform(const Shape& shape, const RandomKey& key, const std::vector<std::int64_t>& sample_ids,
                                    DType dtype = DType::kF32, const DevicePtr& device = default_device());

/// The same uniforms and normals, of f32, on the host whatever the default device is: for what the host decides by them. Do
/// not wait.
[[nodiscard]] std::vector<double> uniform_values(const Shape& shape, const RandomKey& key, const std::vector<std::int64_t>& sample_ids);
[[nodiscard]] std::vector<double> normal_values(const Shape& shape, const RandomKey& key, const std::vector<std::int64_t>& sample_ids);

// ---- in place, outside the graph (core/ops/optimizer.cpp) -----------------------------------------------------------
/// One AdamW update of a parameter.   [arXiv 1711.05101]
struct AdamWStep {
  double lr, beta1, beta2, eps, weight_decay;
  std::int64_t step;      ///< 1 for the first
  double grad_scale = 1;  ///< multiplies the gradient first (clipping)
};
/// p, m, v, grad: same shape, contiguous; p, m, v f32 or f64.
void adamw_(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& grad, const AdamWStep& step);
/// average += (1 - decay) (value - average)
void lerp_(const Tensor& average, const Tensor& value, double decay);
/// y += x, for accumulating gradients.
void add_(const Tensor& y, const Tensor& x);
/// x *= factor
void scale_(const Tensor& x, double factor);
/// Sum of the squares of all elements of all tensors, as double, in a fixed order. Waits for the device.
[[nodiscard]] double sum_of_squares(const std::vector<Tensor>& tensors);

}  // namespace eflow

// Attention over all keys or a window of the token raster, one block of queries at a time. Only q,
// k and v are saved for the backward pass, and only one block's scores are in memory at once. It
// consists of matrix products and the row-wise kernel band_softmax.h, so it runs on every device
// and dtype. GLGA's fused kernels (glga.cpp) are faster.

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/gemm.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/kernels_src/args/band_softmax.h"

namespace eflow {
namespace {

/// Attributes of the op.
struct Attention {
  double scale = 1;
  Band band;
};

/// Queries [q0, q1) of samples [b0, b1), and the range [k0, k1) of keys that any of them attends
/// to.
struct Piece {
  std::int64_t b0, b1, q0, q1, k0, k1;
};

/// Queries of a piece.
constexpr std::int64_t kQueries = 128;
/// Maximum number of scores in memory: enough work for all threads, small enough for the outer
/// caches.
constexpr std::int64_t kScores = std::int64_t{1} << 21;

/// Partitions the work into pieces, in a fixed order.
std::vector<Piece> pieces_of(const Shape& q, std::int64_t keys, const Band& band) {
  const std::int64_t samples = q[0], tokens = q[1], heads = q[2];
  const std::vector<std::int64_t> positions = band.positions.defined()
                                                  ? band.positions.to_vector<std::int64_t>()
                                                  : std::vector<std::int64_t>();
  const auto position = [&](std::int64_t b, std::int64_t i) {
    return positions.empty() ? i : positions[static_cast<std::size_t>(b * tokens + i)];
  };
  const auto first_at_least = [&](std::int64_t b, std::int64_t value) {
    if (positions.empty()) return std::clamp<std::int64_t>(value, 0, keys);
    const auto row = positions.begin() + b * tokens;
    return static_cast<std::int64_t>(std::lower_bound(row, row + tokens, value) - row);
  };
  std::vector<Piece> out;
  for (std::int64_t q0 = 0; q0 < tokens; q0 += kQueries) {
    const std::int64_t q1 = std::min(tokens, q0 + kQueries);
    for (std::int64_t b0 = 0; b0 < samples;) {
      Piece piece{b0, b0, q0, q1, keys, 0};
      do {
        const std::int64_t b = piece.b1++;
        piece.k0 =
            std::min(piece.k0, band.full ? 0 : first_at_least(b, position(b, q0) - band.left));
        piece.k1 = std::max(
            piece.k1, band.full ? keys : first_at_least(b, position(b, q1 - 1) + band.right + 1));
      } while (piece.b1 < samples &&
               (piece.b1 - b0 + 1) * heads * (q1 - q0) * (piece.k1 - piece.k0) <= kScores);
      out.push_back(piece);
      b0 = piece.b1;
    }
  }
  return out;
}

/// Returns rows [from, to) of samples [b0, b1) of x [B, N, H, d] as a view [b1 - b0, H, to - from,
/// d].
Tensor heads_of(const Tensor& x, std::int64_t b0, std::int64_t b1, std::int64_t from,
                std::int64_t to) {
  return transpose(narrow(narrow(x, 0, b0, b1 - b0), 1, from, to - from), 1, 2);
}

/// The operands of one piece, and its probabilities p = softmax(scale q k^T) [b, H, queries, keys].
struct Block {
  const Attention& attention;
  const Piece& piece;
  Tensor q, k, v, p;

  Block(const Attention& a, const Piece& where, const Tensor& all_q, const Tensor& all_k,
        const Tensor& all_v)
      : attention(a), piece(where) {
    const auto [b0, b1, q0, q1, k0, k1] = where;
    q = heads_of(all_q, b0, b1, q0, q1);
    k = heads_of(all_k, b0, b1, k0, k1);
    v = heads_of(all_v, b0, b1, k0, k1);
    p = Tensor::empty({b1 - b0, all_q.size(2), q1 - q0, k1 - k0}, all_q.dtype(), all_q.device());
    detail::gemm(q, transpose(k, -1, -2), p, a.scale);
    launch("band_softmax", Tensor());
  }

  /// Replaces dp, the gradient of p, by the gradient of q k^T (before scaling).
  void softmax_grad(const Tensor& dp) const { launch("band_softmax_grad", dp); }

 private:
  void launch(std::string_view text, const Tensor& dp) const {
    const Band& band = attention.band;
    args::BandSoftmax a{};
    a.p = p.data();
    a.dp = dp.defined() ? dp.data() : nullptr;
    a.scale = attention.scale;
    a.heads = p.size(1);
    a.queries = p.size(2);
    a.keys = p.size(3);
    a.query0 = piece.q0;
    a.key0 = piece.k0;
    if (band.positions.defined()) {
      a.tokens = band.positions.size(1);
      a.positions = static_cast<const long long*>(band.positions.data()) + piece.b0 * a.tokens;
    }
    a.left = band.left;
    a.right = band.right;
    a.full = band.full ? 1 : 0;
    a.rows = p.size(0) * a.heads * a.queries;
    a.rows_per_block = detail::rows_per_block(*p.device(), a.keys);
    p.device()->launch(text, jit::KernelSpec(text, {p.dtype()}),
                       {detail::blocks(a.rows, a.rows_per_block)}, a);
  }
};

std::vector<TensorSpec> infer(std::span<const Tensor> x, const Attention& a) {
  const Tensor &q = x[0], &k = x[1], &v = x[2];
  detail::require_same_dtype("attention", {q, k, v});
  const bool ranks = q.rank() == 4 && k.rank() == 4 && k.shape() == v.shape();
  if (!ranks || q.size(0) != k.size(0) || q.size(2) != k.size(2) || q.size(3) != k.size(3)) {
    throw ShapeError(str("[attention] q is ", q, ", k is ", k, ", v is ", v,
                         "; expected [B, Nq, H, d], [B, Nk, H, d], [B, Nk, H, d]"));
  }
  if (k.size(1) == 0) throw ShapeError(str("[attention] no keys: k is ", k));
  if (!a.band.full) {
    if (q.size(1) != k.size(1)) {
      throw ShapeError(
          str("[attention] a window requires as many queries as keys; q is ", q, ", k is ", k));
    }
    if (a.band.left < 0 || a.band.right < 0) {
      throw InvalidArgument(str("[attention] window radii (", a.band.left, ", ", a.band.right,
                                "); expected 0 or more"));
    }
    const Tensor& positions = a.band.positions;
    if (positions.defined() &&
        (positions.dtype() != DType::kI64 || positions.shape() != Shape{q.size(0), q.size(1)})) {
      throw ShapeError(str("[attention] positions are ", positions, "; expected [", q.size(0), ", ",
                           q.size(1), "] i64"));
    }
    detail::require_positions_near("attention", positions, q);
  }
  return {{q.shape(), detail::floating_dtype(q, "attention")}};
}

void forward(Call<Attention>& call) {
  const NoGrad off;
  const Tensor &q = call.inputs[0], &k = call.inputs[1], &v = call.inputs[2], &y = call.outputs[0];
  for (const Piece& piece : pieces_of(q.shape(), k.size(1), call.attrs.band)) {
    const Block block(call.attrs, piece, q, k, v);
    detail::gemm(block.p, block.v, heads_of(y, piece.b0, piece.b1, piece.q0, piece.q1));
  }
  for (const Tensor& t : {q, k, v}) call.save(t);
}

Tensors vjp(const Call<Attention>& call, std::span<const Tensor> dys) {
  const Tensor &q = call.saved[0], &k = call.saved[1], &v = call.saved[2];
  // dk and dv are sums over pieces: accumulated in the wide dtype and rounded once.
  const DType sums = accumulator_of(q.dtype());
  const Tensor dq = Tensor::empty(q.shape(), q.dtype(), q.device());
  const Tensor dk = Tensor::zeros(k.shape(), sums, q.device());
  const Tensor dv = Tensor::zeros(v.shape(), sums, q.device());
  const Tensor dy = contiguous(dys[0]);
  for (const Piece& piece : pieces_of(q.shape(), k.size(1), call.attrs.band)) {
    const auto [b0, b1, q0, q1, k0, k1] = piece;
    const Block block(call.attrs, piece, q, k, v);
    const Tensor dyh = heads_of(dy, b0, b1, q0, q1);
    const Tensor dp = Tensor::empty(block.p.shape(), q.dtype(), q.device());
    detail::gemm(dyh, transpose(block.v, -1, -2), dp);
    detail::gemm(transpose(block.p, -1, -2), dyh, heads_of(dv, b0, b1, k0, k1), 1, 1);
    block.softmax_grad(dp);
    detail::gemm(dp, block.k, heads_of(dq, b0, b1, q0, q1));
    detail::gemm(transpose(dp, -1, -2), block.q, heads_of(dk, b0, b1, k0, k1), 1, 1);
  }
  return {dq, cast(dk, q.dtype()), cast(dv, q.dtype())};
}

/// Returns the band as a mask [B, 1, N, N] added to the scores, for the reference.
Tensor additive_mask(const Band& band, std::int64_t samples, std::int64_t tokens,
                     const Tensor& like) {
  const std::vector<std::int64_t> positions = band.positions.defined()
                                                  ? band.positions.to_vector<std::int64_t>()
                                                  : std::vector<std::int64_t>();
  std::vector<double> mask(static_cast<std::size_t>(samples * tokens * tokens));
  std::size_t at = 0;
  for (std::int64_t b = 0; b < samples; ++b) {
    for (std::int64_t i = 0; i < tokens; ++i) {
      for (std::int64_t j = 0; j < tokens; ++j, ++at) {
        const auto position = [&](std::int64_t n) {
          return positions.empty() ? n : positions[static_cast<std::size_t>(b * tokens + n)];
        };
        const std::int64_t gap = position(j) - position(i);
        if (gap < -band.left || gap > band.right) mask[at] = -1e30;
      }
    }
  }
  return cast(Tensor::from(mask, {samples, 1, tokens, tokens}, like.device()), like.dtype());
}

/// positions: values of band.positions, a tensor that must be on the device of the inputs.
Sample sample(std::string label, const Shape& q, const Shape& k, Band band,
              const std::vector<std::int64_t>& positions = {}) {
  const double scale = 0.7;
  const auto band_on = [band, positions](const Tensor& x) {
    Band out = band;
    if (!positions.empty())
      out.positions = Tensor::from(positions, {x.size(0), x.size(1)}, x.device());
    return out;
  };
  return {std::move(label),
          {{q}, {k}, {k}},
          [band_on, scale](const Tensors& x) {
            return Tensors{attention(x[0], x[1], x[2], scale, band_on(x[0]))};
          },
          [band_on, scale](const Tensors& x) {
            const Band now = band_on(x[0]);
            const auto heads = [](const Tensor& t) { return transpose(t, 1, 2); };
            Tensor scores = matmul(heads(x[0]), transpose(heads(x[1]), -1, -2)) * scale;
            if (!now.full) scores = scores + additive_mask(now, x[0].size(0), x[0].size(1), x[0]);
            const Tensor weights = exp(scores);
            return Tensors{heads(matmul(weights / sum(weights, {-1}, true), heads(x[2])))};
          }};
}

std::vector<Sample> samples() {
  std::vector<Sample> out{
      sample("all keys", {2, 5, 2, 4}, {2, 5, 2, 4}, {}),
      sample("cross", {2, 3, 1, 8}, {2, 7, 1, 8}, {}),
      sample("self only", {1, 6, 1, 3}, {1, 6, 1, 3}, {.full = false}),
      sample("window", {2, 9, 2, 4}, {2, 9, 2, 4}, {.full = false, .left = 2, .right = 3}),
      sample("several blocks", {1, 150, 1, 2}, {1, 150, 1, 2},
             {.full = false, .left = 5, .right = 5})};
  out.push_back(sample("kept tokens", {2, 5, 2, 4}, {2, 5, 2, 4},
                       {.full = false, .left = 3, .right = 3}, {0, 2, 3, 7, 8, 1, 4, 5, 9, 11}));
  return out;
}

constexpr OpDef<Attention> kAttention{"attention", infer, forward, vjp, samples};

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                 const Band& band) {
  return apply(kAttention, {q, k, v}, Attention{scale, band})[0];
}

std::vector<OpEntry> detail::attention_ops() {
  return {entry_of(kAttention)};
}

}  // namespace eflow

#pragma once
// Arguments of the glga_*.h texts. Strides are counted in elements; channels of a head are neighbours.

namespace eflow::args {

/// Rows of heads: element (b, i, h, x) lies at p[b * batch + i * row + h * head + x].
struct GlgaRows {
  void* p;
  long long batch, row, head;
};

/// Logits of both gates: p[b * batch + i * row + branch * branch + h * head (+ x for gates of channels)]; branch 0 is the
/// linear one, 1 the softmax one. head = 0: all heads share one.
struct GlgaGates {
  const void* p;
  long long batch, row, branch, head;
};

/// The driver's CUtensorMap, made by it (jit/tensor_map.hpp) and read by the device: of a tensor where it lies, its sizes and
/// strides, and which box of it one copy takes.
struct alignas(128) TensorMap {
  unsigned long long opaque[16];
};

/// One struct for the forward and the backward texts. "sums" are f32, f64 for f64.
struct Glga {
  GlgaRows q, k, v;  ///< [B, Nq or Nk, H, d]
  GlgaRows out;      ///< forward: the result; backward: its gradient
  GlgaRows local;    ///< softmax branch before its norm, kept for the backward texts; p may be null
  GlgaRows d_global, d_local;  ///< gradients of both branches before their norms
  GlgaRows dq, dk, dv;         ///< dq or dk may be null: not wanted
  GlgaGates gates;             ///< where the form has gates
  const void*
      weights[2];  ///< [H, d] factors of the linear and the softmax branch's norm; may be null
  void* lse;       ///< sums [B, H, Nq]: log2 of the softmax's denominator; may be null in forward
  void* delta;     ///< sums [B, H, Nq]: d_local . local
  const void* state;    ///< sums [B, H, d, d]: kappa K^T V
  const void* d_state;  ///< sums [B, H, d, d]: kappa Q^T d_global
  void* d_gates;        ///< sums [B, Nq, 2, H], of channels [B, Nq, 2, H, d]; may be null
  void* d_weights;      ///< sums [B, row tiles, 2, H, d]; may be null
  const int* ranges;    ///< [B, N, 2] keys that a kept token sees, see window_ranges.h
  void* parts;          ///< sums [B, H, ceil(keys / chunk), part_rows, d], see glga_band_grad.h
  double scale;         ///< tau: factor of the scores
  double eps;           ///< of the norms
  long long queries, keys, heads;
  long long radius;     ///< where the form leaves it to the arguments
  long long chunk;      ///< keys of a block of glga_band_grad.h
  long long part_rows;  ///< at least as many queries as the keys of any chunk meet
  /// Of what a walk loads, where its Spec asks for bulk copies: k and v; q and d_local in glga_keys_grad.h.
  TensorMap walk[2];
};

/// parts[b, h, s] = scale sum over tokens i of chunk s of x_i^T y_i, d x d.
struct GlgaState {
  GlgaRows x, y;  ///< [B, N, H, d]
  void* parts;    ///< sums [B, H, splits, d, d]
  double scale;   ///< of the sums
  long long tokens, heads, splits, chunk;
};

/// Ranges [B, N, 2] of kept tokens whose place in the raster is within radius of a token's own.
struct WindowRanges {
  const long long* positions;  ///< [B, N], ascending in a sample
  int* ranges;
  long long tokens, radius;
};

}  // namespace eflow::args

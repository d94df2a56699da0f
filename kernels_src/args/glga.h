#pragma once
// Arguments of the glga_*.h texts [arXiv 2603.27086, Eq. 5-8]. Strides are counted in elements; the
// channels of a head are contiguous. "sums" have the accumulator type: f32, or f64 for f64 tensors.

namespace eflow::args {

/// Rows of all heads: element (b, i, h, x) is at p[b * batch + i * row + h * head + x].
struct GlgaRows {
  void* p;
  long long batch, row, head;
};

/// Logits of both gates: p[b * batch + i * row + r * branch + h * head (+ x for channel gates)] for
/// branch r, 0 linear, 1 softmax. head = 0: one logit for all heads of a token.
struct GlgaGates {
  const void* p;
  long long batch, row, branch, head;
};

/// The driver's CUtensorMap, encoded by jit/cuda/tensor_map.hpp and read by the device: address, sizes
/// and strides of a tensor, and the box that one bulk copy loads.
struct alignas(128) TensorMap {
  unsigned long long opaque[16];
};

/// Arguments of the forward and of every backward text. A text reads only the fields that it names.
struct Glga {
  GlgaRows q, k, v;  ///< [B, Nq or Nk, H, d]
  GlgaRows out;      ///< forward: result; backward: its gradient dO
  /// Softmax branch before its norm, C; input of the backward texts, optional in forward
  GlgaRows local;
  GlgaRows d_global, d_local;  ///< gradients of the branches before their norms, dA and dC
  GlgaRows dq, dk, dv;         ///< null dq or dk: not computed
  GlgaGates gates;             ///< read if the form has gates
  const void*
      weights[2];       ///< [H, d] norm weights of the linear and the softmax branch; may be null
  void* lse;            ///< sums [B, H, Nq]: log2 of the softmax denominator; optional in forward
  void* delta;          ///< sums [B, H, Nq]: d_local . local
  const void* state;    ///< sums [B, H, d, d]: kappa K^T V
  const void* d_state;  ///< sums [B, H, d, d]: kappa Q^T d_global
  void* d_gates;        ///< sums [B, Nq, 2, H], or [B, Nq, 2, H, d] for channel gates; may be null
  void* d_weights;      ///< sums [B, row tiles, 2, H, d]; may be null
  /// [B, N, 2] key range of each kept token, from window_ranges.h; null if none is dropped
  const int* ranges;
  void* parts;   ///< sums [B, H, ceil(keys / chunk), part_rows, d], see glga/band_grad.h
  double scale;  ///< tau, the factor of the scores
  double eps;    ///< epsilon of the RMS norms
  long long queries, keys, heads;
  long long radius;     ///< window radius in raster positions, read if the form's radius is -1
  long long chunk;      ///< keys per block of glga/band_grad.h
  long long part_rows;  ///< at least the number of queries that meet any one chunk
  /// Tensor maps of the tiles that the walk loads, used if the KernelSpec enables bulk copies: k and v,
  /// or q and d_local in glga/keys_grad.h.
  TensorMap walk[2];
};

/// parts[b, h, s] = scale * sum over tokens i of chunk s of x_i^T y_i, d x d. scale is kappa.
struct GlgaState {
  GlgaRows x, y;  ///< [B, N, H, d]
  void* parts;    ///< sums [B, H, splits, d, d]
  double scale;   ///< kappa
  long long tokens, heads, splits, chunk;
};

/// ranges[b, i] = [begin, end) of the kept tokens whose raster position is within `radius` of token
/// i's.
struct WindowRanges {
  const long long* positions;  ///< raster positions of the kept tokens, ascending per sample
  int* ranges;
  long long tokens, radius;
};

}  // namespace eflow::args

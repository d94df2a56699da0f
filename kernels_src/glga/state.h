#pragma once
// State of the linear branch, kappa K^T V [arXiv 2603.27086, Eq. 5], and its gradient, kappa Q^T
// dA: each block sums one chunk of tokens. The caller adds the partial sums in a fixed order. The
// tokens are the kept ones, so dropped tokens contribute nothing.

#include "eflow/kernels_src/args/glga.h"
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

using eflow::args::GlgaState;

/// Rows of the state per block, bounded by what its accumulators hold.
template <int kHead>
inline constexpr int kStateRows = kHead < 128 ? kHead : 128;

/// Grid: splits * ceil(d / kStateRows), heads, samples.
template <class T, int kHead, int kTile>
void glga_state(const Block& block, const GlgaState& a) {
  using C = Compute<T>;
  constexpr int R = kStateRows<kHead>;
  const Index split = block.x % a.splits, row0 = block.x / a.splits * R;
  const Index begin = split * a.chunk, end = min_of(begin + a.chunk, a.tokens);
  const T* const x = static_cast<const T*>(a.x.p) + block.z * a.x.batch + block.y * a.x.head + row0;
  const T* const y = static_cast<const T*>(a.y.p) + block.z * a.y.batch + block.y * a.y.head;

  Arena arena(block);
  const auto x_ring = alloc_ring<2, T, kTile, R, Use::kRight>(arena);
  const auto y_ring = alloc_ring<2, T, kTile, kHead, Use::kRight>(arena);
  Acc<C, R, kHead> s;
  fill(s, C(0));
  const auto fetch = [&](Index i, int stage) {
    load(x_ring[stage], View<const T>{x + i * a.x.row, a.x.row, end - i, kHead - row0});
    load(y_ring[stage], View<const T>{y + i * a.y.row, a.y.row, end - i, kHead});
  };
  pipeline<2>(begin, end, kTile, fetch,
              [&](Index, int stage) { mma_AtB(s, x_ring[stage], y_ring[stage]); });
  map(s, [&](auto sum) { return sum * C(a.scale); });
  const Index part = (block.z * a.heads + block.y) * a.splits + split;
  C* const out = static_cast<C*>(a.parts) + part * kHead * kHead + row0 * kHead;
  store(View<C>{out, kHead, kHead - row0, kHead}, s);
}

}  // namespace EFLOW_TEXT

#pragma once
// Backward of a branch's norm and gate (glga/norm_gate.h) for a tile of rows. x is the branch before
// its norm, dy the gradient of its gated output, and u = dy g w:
//
//   dx = r (u - xbar mean(u xbar)),   dw = sum over rows of dy g xbar,   dz = (1 - g) u xbar
//
// For token and head gates, dz sums over the head's channels. A block holds a few accumulators of
// one channel slice. The slice is the whole head, except for wide heads on a GPU.

#include "eflow/kernels_src/glga/norm_gate.h"
#include "eflow/kernels_src/glga/state_product.h"
#include "eflow/kernels_src/glga/window.h"

namespace EFLOW_TEXT {

/// Channels per slice: the whole head unless it is wide, otherwise the largest size that divides
/// it.
template <int kHead>
inline constexpr int kSumsSlice = kHead <= kWidestPair ? kHead
                                  : kHead % 32 == 0    ? 32
                                  : kHead % 24 == 0    ? 24
                                  : kHead % 16 == 0    ? 16
                                                       : 8;

/// Returns P columns of the view, starting at column `first`.
template <int P, class T>
EFLOW_FN View<T> columns_of(const View<T>& view, Index first) {
  return {view.p + first, view.row_stride, view.rows, P};
}

/// Destinations of one branch's gate and weight gradients for the rows of one tile.
template <class C>
struct GlgaBranchGrad {
  C* d_gates;
  Index d_gate_row;
  C* d_weight;

  EFLOW_FN GlgaBranchGrad(const Glga& a, const Block& block, int branch, Index row0, int gate_width,
                          int head)
      : d_gates(static_cast<C*>(a.d_gates)),
        d_gate_row(2 * a.heads * gate_width),
        d_weight(static_cast<C*>(a.d_weights)) {
    if (d_gates != nullptr)
      d_gates +=
          (block.z * a.queries + row0) * d_gate_row + (branch * a.heads + block.y) * gate_width;
    if (d_weight != nullptr)
      d_weight += (((block.z * block.nx + block.x) * 2 + branch) * a.heads + block.y) * head;
  }
};

/// Backward of one branch for one tile. `Fetch` is a function (x, p) that writes the P channels from
/// p on, of the branch before its norm, into x, with zeros beyond the head. It is called once if
/// the head is a single slice, otherwise up to three times per slice.
template <class Form, class T, class Fetch>
struct GlgaBackward {
  using C = Compute<T>;
  static constexpr int M = Form::kRowTile, D = Form::kHead, P = kSumsSlice<D>;
  static constexpr bool kOneSlice = P == D;
  const GlgaBranch<T>& branch;
  const GlgaBranchGrad<C>& grad;
  const View<const T>& dy;
  Fetch& fetch;
  Acc<C, M, P> x, u;
  RowVec<C, M> r, gates;

  EFLOW_FN GlgaBackward(const GlgaBranch<T>& b, const GlgaBranchGrad<C>& g, const View<const T>& d,
                        Fetch& f)
      : branch(b), grad(g), dy(d), fetch(f) {}

  /// Computes r from all slices of x.
  EFLOW_FN void compute_r() {
    RowVec<C, M> squares;
    fill(squares, C(0));
    each_slice<P>(D, [&](Index p) {
      fetch(x, p);
      squares = vmap([](auto s, auto more) { return s + more; }, squares, row_dot(x, x));
    });
    r = glga_norm(squares, D, branch.eps);
  }
  /// Prepares a slice: x becomes xbar, u becomes dy g.
  EFLOW_FN void prepare(Index p) {
    if constexpr (!kOneSlice || !Form::kNormed) fetch(x, p);
    if constexpr (Form::kNormed) scale_rows(x, r);
    load(u, columns_of<P>(dy, p));
    if constexpr (Form::kGates == kRowGates) {
      scale_rows(u, gates);
    } else if constexpr (Form::kGates == kChannelGates) {
      map(u, branch.template channel_logits<P>(p), [](auto a, auto z) { return a * sigmoid(z); });
    }
  }
  /// Multiplies u by the weight: u becomes dy g w.
  EFLOW_FN void apply_weight(Index p) {
    if constexpr (Form::kNormed) branch.times_weight(u, p);
  }
  /// Stores the gradient of the channel gates of a slice.
  EFLOW_FN void store_channel_gates(Index p) const {
    if (grad.d_gates == nullptr) return;
    Acc<C, M, P> dz;
    load(dz, branch.template channel_logits<P>(p));
    map(dz, x, [](auto z, auto b) { return (C(1) - sigmoid(z)) * b; });
    map(dz, u, [](auto a, auto b) { return a * b; });
    store(View<C>{grad.d_gates + p, grad.d_gate_row, branch.rows, P}, dz);
  }

  /// Stores dx and returns delta = dx . x for each row. RMS norm is invariant to scaling x, so this
  /// dot product equals eps r^2 (u . xbar) exactly; computing it this way avoids a sum that
  /// cancels. Without a norm it is u . x.
  EFLOW_FN RowVec<C, M> run(const View<T>& dx) {
    if constexpr (Form::kNormed) compute_r();
    if constexpr (Form::kGates == kRowGates) gates = branch.template row_gates<C, M>();
    RowVec<C, M> u_dot_xbar;
    fill(u_dot_xbar, C(0));
    each_slice<P>(D, [&](Index p) {
      prepare(p);
      if (Form::kNormed && grad.d_weight != nullptr) store(grad.d_weight + p, 1, col_dot(u, x), P);
      apply_weight(p);
      u_dot_xbar = vmap([](auto s, auto more) { return s + more; }, u_dot_xbar, row_dot(u, x));
      if constexpr (Form::kGates == kChannelGates) store_channel_gates(p);
    });
    if constexpr (Form::kGates == kRowGates) {
      const RowVec<C, M> dz =
          vmap([](auto a, auto g) { return a * (C(1) - g); }, u_dot_xbar, gates);
      if (grad.d_gates != nullptr) store(grad.d_gates, grad.d_gate_row, dz, branch.rows);
    }
    const RowVec<C, M> mean = vmap([](auto s) { return s * C(1.0 / D); }, u_dot_xbar);
    each_slice<P>(D, [&](Index p) {
      if constexpr (!kOneSlice) {
        prepare(p);
        apply_weight(p);
      }
      if constexpr (Form::kNormed) {
        row_apply(u, x, mean, [](auto a, auto b, auto w) { return a - b * w; });
        scale_rows(u, r);
      }
      store(columns_of<P>(dx, p), u);
    });
    if constexpr (!Form::kNormed)
      return u_dot_xbar;
    else
      return vmap([&](auto w, auto s) { return C(branch.eps) * s * s * w; }, u_dot_xbar, r);
  }
};

/// Backward of branch `index` for the tile block.x; see GlgaBackward.
template <class Form, class T, class Fetch>
EFLOW_FN RowVec<Compute<T>, Form::kRowTile> glga_branch_backward(const Glga& a, const Block& block,
                                                                 int index, const View<const T>& dy,
                                                                 const View<T>& dx, Fetch&& fetch) {
  constexpr int D = Form::kHead, kGateWidth = Form::kGates == kChannelGates ? D : 1;
  const Index row0 = block.x * Form::kRowTile;
  const GlgaBranch<T> branch(a, block, index, row0, D);
  const GlgaBranchGrad<Compute<T>> grad(a, block, index, row0, kGateWidth, D);
  GlgaBackward<Form, T, Bare<Fetch>> backward(branch, grad, dy, fetch);
  return backward.run(dx);
}

}  // namespace EFLOW_TEXT

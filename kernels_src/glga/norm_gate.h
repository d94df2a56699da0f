#pragma once
// Norm and gate, applied to the output x of each branch: RMS norm over a head's channels with an
// optional weight w, then a sigmoid gate g with logit z.
//
//   y = g w xbar,  xbar = x r,  r = 1 / sqrt(mean(x^2) + eps),  g = sigmoid(z)
//
// Gates: arXiv 2603.27086, Eq. 7. The sum of both y is Eq. 8 (glga/forward.h).

#include "eflow/kernels_src/glga/spec.h"
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

/// Weight and gate logits of one branch for the rows of one tile. branch: 0 linear, 1 softmax.
template <class T>
struct GlgaBranch {
  int index;
  const T* weight;  ///< of this head; null: no weight
  const T* logits;  ///< of the tile's first row
  Index logit_row;
  Index rows;  ///< rows of the tile that exist
  double eps;

  EFLOW_FN GlgaBranch(const Glga& a, const Block& block, int branch, Index row0, int head)
      : index(branch),
        weight(nullptr),
        logits(nullptr),
        logit_row(a.gates.row),
        rows(a.queries - row0),
        eps(a.eps) {
    if (a.weights[branch] != nullptr)
      weight = static_cast<const T*>(a.weights[branch]) + block.y * head;
    if (a.gates.p != nullptr)
      logits = static_cast<const T*>(a.gates.p) + block.z * a.gates.batch + row0 * a.gates.row +
               branch * a.gates.branch + block.y * a.gates.head;
  }

  template <class C, int M>
  EFLOW_FN RowVec<C, M> row_gates() const {
    RowVec<C, M> z;
    load(z, logits, logit_row, rows, C(0));
    return vmap([](auto x) { return sigmoid(x); }, z);
  }
  /// Logits of channel gates, starting at channel `first`.
  template <int P>
  EFLOW_FN View<const T> channel_logits(Index first = 0) const {
    return {logits + first, logit_row, rows, P};
  }
  /// Multiplies x by the weight; column 0 of x is channel `first`.
  template <class C, int M, int P>
  EFLOW_FN void times_weight(Acc<C, M, P>& x, Index first = 0) const {
    if (weight == nullptr) return;
    ColVec<C, P> w;
    load(w, weight + first, 1, P, C(0));
    col_apply(x, w, [](auto a, auto b) { return a * b; });
  }
};

/// Returns 1 / sqrt(mean + eps) for rows whose squares sum to `squares`.
template <class C, int M>
EFLOW_FN RowVec<C, M> glga_norm(const RowVec<C, M>& squares, int head, double eps) {
  return vmap([&](auto s) { return C(1) / sqrt(s * C(1.0 / head) + C(eps)); }, squares);
}

/// Replaces x by y: norm, weight, gate.
template <class Form, class T, class C, int M, int D>
EFLOW_FN void glga_finish(Acc<C, M, D>& x, const GlgaBranch<T>& branch) {
  if constexpr (Form::kNormed) {
    scale_rows(x, glga_norm(row_dot(x, x), D, branch.eps));
    branch.times_weight(x);
  }
  if constexpr (Form::kGates == kRowGates) {
    scale_rows(x, branch.template row_gates<C, M>());
  } else if constexpr (Form::kGates == kChannelGates) {
    map(x, branch.template channel_logits<D>(), [](auto a, auto z) { return a * sigmoid(z); });
  }
}

}  // namespace EFLOW_TEXT

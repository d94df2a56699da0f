#pragma once
// What follows each of the two branches: RMS norm of a head's channels with a factor, and a gate; forward and backward.
//   y = g w xbar,  xbar = x r,  r = 1 / sqrt(mean(x^2) + eps),  g = sigmoid(z)

#include "glga_form.h"

namespace EFLOW_TEXT {

/// Where a branch's rows find their gate and factor. branch: 0 the linear one, 1 the softmax one.
template <class T>
struct GlgaBranch {
  int index;
  const T* weight;  ///< of this head; may be null
  const T* logits;  ///< of the tile's first row
  Index logit_row;
  Index rows;  ///< that exist in the tile
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
  template <class C, int M, int D>
  EFLOW_FN void channel_gates(Acc<C, M, D>& g) const {
    load(g, View<const T>{logits, logit_row, rows, D});
    map(g, [](auto x) { return sigmoid(x); });
  }
  template <class C, int M, int D>
  EFLOW_FN void times_weight(Acc<C, M, D>& x) const {
    if (weight == nullptr) return;
    ColVec<C, D> w;
    load(w, weight, 1, D, C(0));
    col_apply(x, w, [](auto a, auto b) { return a * b; });
  }
};

/// x becomes xbar; returns r.
template <class C, int M, int D>
EFLOW_FN RowVec<C, M> glga_normalise(Acc<C, M, D>& x, double eps) {
  const RowVec<C, M> r =
      vmap([&](auto s) { return C(1) / sqrt(s * C(1.0 / D) + C(eps)); }, row_dot(x, x));
  scale_rows(x, r);
  return r;
}

/// x becomes y.
template <class Form, class T, class C, int M, int D>
EFLOW_FN void glga_finish(Acc<C, M, D>& x, const GlgaBranch<T>& branch) {
  if constexpr (Form::kNormed) {
    glga_normalise(x, branch.eps);
    branch.times_weight(x);
  }
  if constexpr (Form::kGates == kRowGates) {
    scale_rows(x, branch.template row_gates<C, M>());
  } else if constexpr (Form::kGates == kChannelGates) {
    Acc<C, M, D> g;
    branch.channel_gates(g);
    map(x, g, [](auto a, auto b) { return a * b; });
  }
}

/// Where the gradients of a branch's gate and factor go, for the rows of one tile.
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

/// The gradient of the gates' logits of channels, x u (1 - g), where u is dy g w.
template <class C, int M, int D>
EFLOW_FN void glga_channel_logits(const Acc<C, M, D>& x, const Acc<C, M, D>& u, Acc<C, M, D>& g,
                                  const GlgaBranchGrad<C>& grad, Index rows) {
  if (grad.d_gates == nullptr) return;
  map(g, x, [](auto a, auto b) { return (C(1) - a) * b; });
  map(g, u, [](auto a, auto b) { return a * b; });
  store(View<C>{grad.d_gates, grad.d_gate_row, rows, D}, g);
}

/// x, the branch before its norm, becomes xbar; u, which is dy, becomes the gradient of the branch before its norm. Returns
/// of each row the product of that gradient with x as it came; since the norm does not feel a scale this is
/// eps r^2 (u . xbar), not a sum of products that cancel.
template <class Form, class T, class C, int M, int D>
EFLOW_FN RowVec<C, M> glga_unfinish(Acc<C, M, D>& x, Acc<C, M, D>& u, const GlgaBranch<T>& branch,
                                    const GlgaBranchGrad<C>& grad) {
  RowVec<C, M> r, along;
  if constexpr (Form::kNormed) r = glga_normalise(x, branch.eps);
  const auto weigh = [&] {
    if constexpr (Form::kNormed) {
      if (grad.d_weight != nullptr) store(grad.d_weight, 1, col_dot(u, x), D);
      branch.times_weight(u);
    }
    along = row_dot(u, x);
  };
  if constexpr (Form::kGates == kChannelGates) {
    Acc<C, M, D> g;
    branch.channel_gates(g);
    map(u, g, [](auto a, auto b) { return a * b; });
    weigh();
    glga_channel_logits(x, u, g, grad, branch.rows);
  } else if constexpr (Form::kGates == kRowGates) {
    const RowVec<C, M> g = branch.template row_gates<C, M>();
    scale_rows(u, g);
    weigh();
    const RowVec<C, M> dz = vmap([](auto a, auto b) { return a * (C(1) - b); }, along, g);
    if (grad.d_gates != nullptr) store(grad.d_gates, grad.d_gate_row, dz, branch.rows);
  } else {
    weigh();
  }
  if constexpr (!Form::kNormed) {
    return along;
  } else {
    row_apply(u, x, vmap([](auto w) { return w * C(1.0 / D); }, along),
              [](auto a, auto b, auto w) { return a - b * w; });
    scale_rows(u, r);
    return vmap([&](auto w, auto s) { return C(branch.eps) * s * s * w; }, along, r);
  }
}

}  // namespace EFLOW_TEXT

#pragma once
// What a step does to parameters, in place: AdamW, moving averages, and the sum of squares behind the gradient norm.

#include "args/optimizer.h"
#include "tile/pack.h"

namespace EFLOW_TEXT {

/// f(i) for the elements of this block.
template <class C, class F>
EFLOW_FN void each_of_block(const Block& block, Index count, Index per_block, F&& f) {
  const Index begin = block.x * per_block;
  each<C>(begin, min_of(begin + per_block, count), f);
}

/// m = lerp(g, m, beta1), v = lerp(g^2, v, beta2), p = decay p - rate m / (sqrt(v) root_correction + eps).
/// [Loshchilov & Hutter, arXiv 1711.05101, Algorithm 2]   T: of p, m, v; G: of the gradient.
template <class T, class G>
void adamw(const Block& block, const eflow::args::AdamW& a) {
  using C = Compute<T>;
  T* p = static_cast<T*>(a.p);
  T* m = static_cast<T*>(a.m);
  T* v = static_cast<T*>(a.v);
  const G* grad = static_cast<const G*>(a.grad);
  const C scale = C(a.grad_scale), new1 = C(1 - a.beta1), new2 = C(1 - a.beta2), beta2 = C(a.beta2),
          eps = C(a.eps), decay = C(a.decay), rate = C(a.rate), root = C(a.root_correction);
  each_of_block<C>(block, a.count, a.per_block, [&](auto i) {
    const Pack<C> g = load<C>(grad, i) * scale;
    const Pack<C> m_old = load<C>(m, i);
    const Pack<C> m_new = m_old + new1 * (g - m_old);
    const Pack<C> v_new = beta2 * load<C>(v, i) + new2 * (g * g);
    store(m, i, m_new);
    store(v, i, v_new);
    store(p, i, load<C>(p, i) * decay - rate * m_new / (sqrt(v_new) * root + eps));
  });
}

template <class T, class S>
void lerp(const Block& block, const eflow::args::Lerp& a) {
  using C = Compute<T>;
  T* average = static_cast<T*>(a.average);
  const S* value = static_cast<const S*>(a.value);
  const C weight = C(a.weight);
  each_of_block<C>(block, a.count, a.per_block, [&](auto i) {
    const Pack<C> old = load<C>(average, i);
    store(average, i, old + weight * (load<C>(value, i) - old));
  });
}

template <class T>
void sum_of_squares(const Block& block, const eflow::args::SumOfSquares& a) {
  const T* x = static_cast<const T*>(a.x);
  const Index begin = block.x * a.per_block;
  a.partial[block.x] = sum_each<double>(begin, min_of(begin + a.per_block, a.count), [&](auto i) {
    const Pack<double> v = load<double>(x, i);
    return v * v;
  });
}

}  // namespace EFLOW_TEXT

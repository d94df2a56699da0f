#pragma once
// In-place optimizer updates: AdamW, moving averages, and the sum of squares for the gradient norm.
// The `_list` texts process all parameters of a model in one launch.

#include "eflow/kernels_src/args/optimizer.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

/// Calls f(i) for the elements of this block.
template <class C, class F>
EFLOW_FN void each_of_block(const Block& block, Index count, Index per_block, F&& f) {
  const Index begin = block.x * per_block;
  each<C>(begin, min_of(begin + per_block, count), f);
}

/// Constants of one AdamW step, in the compute type.
template <class C>
struct AdamWNumbers {
  C new1, new2, beta2, eps, decay, rate, root;

  template <class Args>
  EFLOW_FN explicit AdamWNumbers(const Args& a)
      : new1(C(1 - a.beta1)),
        new2(C(1 - a.beta2)),
        beta2(C(a.beta2)),
        eps(C(a.eps)),
        decay(C(a.decay)),
        rate(C(a.rate)),
        root(C(a.root_correction)) {}
};

/// One AdamW update [Loshchilov & Hutter, arXiv 1711.05101, Algorithm 2]; returns the new p:
///   m = lerp(g, m, beta1),  v = lerp(g^2, v, beta2)
///   p = decay p - rate m / (sqrt(v) root_correction + eps)
template <class C, class T, class I>
EFLOW_FN Pack<C> adamw_update(const AdamWNumbers<C>& n, T* p, T* m, T* v, I i, Pack<C> g) {
  const Pack<C> m_old = load<C>(m, i);
  const Pack<C> m_new = m_old + n.new1 * (g - m_old);
  const Pack<C> v_new = n.beta2 * load<C>(v, i) + n.new2 * (g * g);
  const Pack<C> p_new = load<C>(p, i) * n.decay - n.rate * m_new / (sqrt(v_new) * n.root + n.eps);
  store(m, i, m_new);
  store(v, i, v_new);
  store(p, i, p_new);
  return p_new;
}

/// T: type of p, m and v. G: type of the gradient.
template <class T, class G>
void adamw(const Block& block, const eflow::args::AdamW& a) {
  using C = Compute<T>;
  const AdamWNumbers<C> numbers(a);
  const C scale = C(a.grad_scale);
  each_of_block<C>(block, a.count, a.per_block, [&](auto i) {
    adamw_update<C>(numbers, static_cast<T*>(a.p), static_cast<T*>(a.m), static_cast<T*>(a.v), i,
                    load<C>(static_cast<const G*>(a.grad), i) * scale);
  });
}

/// The parameter that a block of a list launch works on: the last one whose first_block is at most
/// the block's index.
EFLOW_FN const eflow::args::ParameterRow& row_of_block(const eflow::args::ParameterRow* rows,
                                                       Index count, Index block) {
  Index low = 0, high = count;
  while (high - low > 1) {
    const Index middle = (low + high) / 2;
    if (rows[middle].first_block <= block)
      low = middle;
    else
      high = middle;
  }
  return rows[low];
}

/// One pass over the memory of a whole model. T: type of p, m, v and averages. G: type of the
/// gradients.
template <class T, class G>
void adamw_list(const Block& block, const eflow::args::AdamWList& a) {
  using C = Compute<T>;
  const double squares = *a.squared_norm;
  if (!(squares - squares == 0)) return;  // not finite: skip the step
  const double norm = __builtin_sqrt(squares);
  const C scale = C(a.clip > 0 && norm > a.clip ? a.clip / norm : 1);
  const AdamWNumbers<C> numbers(a);
  const C weight = C(a.average_weight);
  const eflow::args::ParameterRow row = row_of_block(a.rows, a.row_count, block.x);
  T* const p = static_cast<T*>(row.p);
  T* const average = static_cast<T*>(row.average);
  const G* const grad = static_cast<const G*>(row.grad);
  bf16* const p_bf16 = static_cast<bf16*>(row.p_bf16);
  bf16* const average_bf16 = static_cast<bf16*>(row.average_bf16);
  const Index begin = (block.x - row.first_block) * a.per_block;
  each<C>(begin, min_of(begin + a.per_block, row.count), [&](auto i) {
    const Pack<C> now = grad == nullptr
                            ? load<C>(p, i)
                            : adamw_update<C>(numbers, p, static_cast<T*>(row.m),
                                              static_cast<T*>(row.v), i, load<C>(grad, i) * scale);
    if (p_bf16 != nullptr) store(p_bf16, i, now);
    if (average == nullptr) return;
    const Pack<C> old = load<C>(average, i), mean = old + weight * (now - old);
    store(average, i, mean);
    if (average_bf16 != nullptr) store(average_bf16, i, mean);
  });
}

/// See Lerp. T: type of the average. S: type of the value.
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

/// Sum of squares in f64, which cannot overflow for f32 inputs.
template <class T>
EFLOW_FN double squares_between(const T* x, Index begin, Index end) {
  return sum_each<double>(begin, end, [&](auto i) {
    const Pack<double> v = load<double>(x, i);
    return v * v;
  });
}

/// See SumOfSquares.
template <class T>
void sum_of_squares(const Block& block, const eflow::args::SumOfSquares& a) {
  const Index begin = block.x * a.per_block;
  a.partial[block.x] =
      squares_between(static_cast<const T*>(a.x), begin, min_of(begin + a.per_block, a.count));
}

/// See SquaresList. A parameter without a gradient contributes 0.
template <class G>
void squares_list(const Block& block, const eflow::args::SquaresList& a) {
  const eflow::args::ParameterRow row = row_of_block(a.rows, a.row_count, block.x);
  const Index begin = (block.x - row.first_block) * a.per_block;
  const Index end = row.grad == nullptr ? begin : min_of(begin + a.per_block, row.count);
  a.partial[block.x] = squares_between(static_cast<const G*>(row.grad), begin, end);
}

}  // namespace EFLOW_TEXT

#pragma once
// c = alpha a b + beta c + bias, strided and batched: block.x walks rows, block.y the first and block.z the second batch dimension.

#include "args/gemm.h"
#include "tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Gemm;

inline constexpr Index kGemmRows = 32;

template <class T, class Y>
void gemm(const Block& block, const Gemm& g) {
  using C = Compute<T>;
  const T* a = static_cast<const T*>(g.a) + block.y * g.a_bs[0] + block.z * g.a_bs[1];
  const T* b = static_cast<const T*>(g.b) + block.y * g.b_bs[0] + block.z * g.b_bs[1];
  Y* c = static_cast<Y*>(g.c) + block.y * g.c_bs[0] + block.z * g.c_bs[1];
  const T* bias = static_cast<const T*>(g.bias);
  const Index first = block.x * kGemmRows, last = min_of(first + kGemmRows, g.m);
  for (Index i = first; i < last; ++i) {
    each<C>(0, g.n, [&](auto j) {
      Pack<C> sum{};
      for (Index l = 0; l < g.k; ++l) {
        const C x = static_cast<C>(widen(a[i * g.a_rs + l * g.a_cs]));
        if (g.b_cs == 1) sum += x * load<C>(b + l * g.b_rs, j);
        else sum += x * load_strided<C>(b + l * g.b_rs, j, g.b_cs);
      }
      sum = C(g.alpha) * sum;
      if (g.beta != 0) sum += C(g.beta) * load<C>(c + i * g.c_rs, j);
      if (bias) sum += load<C>(bias, j);
      store(c + i * g.c_rs, j, sum);
    });
  }
}

}  // namespace EFLOW_TEXT

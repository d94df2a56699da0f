#pragma once
// GEMM problems and their reference results: a Case selects sizes, layouts, epilogue and stored
// types; operands are random; the reference is plain f64 loops.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>
#include <random>
#include <vector>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/kernels_src/args/gemm.h"
#include "eflow/tests/support/gelu.hpp"

namespace eflow::test {

using args::Gemm;

inline double widen(double x) {
  return x;
}
inline double widen(bfloat16 x) {
  return static_cast<float>(x);
}

struct Case {
  long long m, n, k;
  bool a_transposed = false, b_transposed = false;
  bool bias = false, gelu = false, gelu_gradient = false, residual = false;
  double alpha = 1, beta = 0;
  long long batch0 = 1, batch1 = 1;
  bool b_shared = false;  ///< one B shared by all problems
  bool heads = false;     ///< batch[1] counts heads within a row: [B, N, H, d] views of A and C
  long long gap = 0;      ///< unused elements at the end of each row
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.m << "x" << c.n << "x" << c.k << " at" << c.a_transposed << " bt"
             << c.b_transposed << " bias" << c.bias << " gelu" << c.gelu
             << (c.gelu_gradient ? " gradient" : "") << " residual" << c.residual << " alpha"
             << c.alpha << " beta" << c.beta << " batch" << c.batch0 << "," << c.batch1 << " shared"
             << c.b_shared << " heads" << c.heads << " gap" << c.gap;
}

template <class T>
std::vector<T> random_values(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<T> v(count);
  for (T& x : v) x = T(value(engine));
  return v;
}

/// Operands of one case, and the arguments that describe them.
template <class T, class O>
struct Problem {
  std::vector<T> a, b;
  std::vector<O> c, bias, aux, residual;
  Gemm g{};

  explicit Problem(const Case& s) {
    const long long batch = s.batch0 * s.batch1;
    const long long a_row = (s.a_transposed ? s.m : s.k * (s.heads ? s.batch1 : 1)) + s.gap;
    const long long a_rows = s.a_transposed ? s.k : s.m;
    const long long b_row = (s.b_transposed ? s.k : s.n) + s.gap;
    const long long b_rows = s.b_transposed ? s.n : s.k;
    const long long c_row = s.n * (s.heads ? s.batch1 : 1) + s.gap;
    a = random_values<T>(static_cast<std::size_t>(a_row * a_rows * batch + 1), 1);
    b = random_values<T>(static_cast<std::size_t>(b_row * b_rows * (s.b_shared ? 1 : batch) + 1),
                         2);
    c = random_values<O>(static_cast<std::size_t>(c_row * s.m * batch + 1), 3);
    bias = random_values<O>(static_cast<std::size_t>(s.n + 1), 4);
    residual = random_values<O>(c.size(), 5);
    aux = random_values<O>(c.size(), 6);
    g.alpha = s.alpha;
    g.beta = s.beta;
    g.m = s.m;
    g.n = s.n;
    g.k = s.k;
    g.a_rs = s.a_transposed ? 1 : a_row;
    g.a_cs = s.a_transposed ? a_row : 1;
    g.b_rs = s.b_transposed ? 1 : b_row;
    g.b_cs = s.b_transposed ? b_row : 1;
    g.c_rs = g.residual_rs = c_row;
    g.batch[0] = s.batch0;
    g.batch[1] = s.batch1;
    g.a_bs[0] = a_row * a_rows * (s.heads ? 1 : s.batch1);
    g.a_bs[1] = s.heads ? s.k : a_row * a_rows;
    g.b_bs[0] = s.b_shared ? 0 : b_row * b_rows * s.batch1;
    g.b_bs[1] = s.b_shared ? 0 : b_row * b_rows;
    g.c_bs[0] = c_row * s.m * (s.heads ? 1 : s.batch1);
    g.c_bs[1] = s.heads ? s.n : c_row * s.m;
    g.residual_bs[0] = g.c_bs[0];
    g.residual_bs[1] = g.c_bs[1];
    g.gelu = s.gelu            ? eflow::args::kGeluOfSum
             : s.gelu_gradient ? eflow::args::kGeluGradient
                               : eflow::args::kNoGelu;
    bind(s);
  }
  Problem(const Problem&) = delete;

  void bind(const Case& s) {
    g.a = a.data();
    g.b = b.data();
    g.c = c.data();
    g.bias = s.bias ? bias.data() : nullptr;
    g.aux = s.gelu || s.gelu_gradient ? aux.data() : nullptr;
    g.residual = s.residual ? residual.data() : nullptr;
  }
};

/// C and aux by the definition in args/gemm.h, in f64; elements outside the output keep their
/// value.
template <class T, class O>
std::pair<std::vector<double>, std::vector<double>> expected(const Problem<T, O>& p) {
  const Gemm& g = p.g;
  std::vector<double> c(p.c.size()), aux(p.c.size());
  for (std::size_t i = 0; i < c.size(); ++i) {
    c[i] = widen(p.c[i]);
    aux[i] = widen(p.aux[i]);
  }
  for (long long y = 0; y < g.batch[0]; ++y) {
    for (long long z = 0; z < g.batch[1]; ++z) {
      for (long long i = 0; i < g.m; ++i) {
        for (long long j = 0; j < g.n; ++j) {
          double sum = 0;
          for (long long k = 0; k < g.k; ++k) {
            sum += widen(p.a[static_cast<std::size_t>(y * g.a_bs[0] + z * g.a_bs[1] + i * g.a_rs +
                                                      k * g.a_cs)]) *
                   widen(p.b[static_cast<std::size_t>(y * g.b_bs[0] + z * g.b_bs[1] + k * g.b_rs +
                                                      j * g.b_cs)]);
          }
          const auto at = static_cast<std::size_t>(y * g.c_bs[0] + z * g.c_bs[1] + i * g.c_rs + j);
          sum = g.alpha * sum + g.beta * c[at];
          if (g.bias) sum += widen(p.bias[static_cast<std::size_t>(j)]);
          if (g.gelu == eflow::args::kGeluGradient)
            sum *= gelu_slope(aux[at]);
          else if (g.aux)
            aux[at] = sum;
          if (g.gelu == eflow::args::kGeluOfSum) sum = gelu(sum);
          if (g.residual) sum += widen(p.residual[at]);
          c[at] = sum;
        }
      }
    }
  }
  return {c, aux};
}

/// Rounding tolerance for a result of this size after `k` products: that of the sums plus that of
/// the stored type.
template <class O>
double tolerance(double value, long long k) {
  const double sum = sizeof(O) == 8 ? 1e-15 : 1e-7;
  const double stored = sizeof(O) == 8 ? 1e-15 : (sizeof(O) == 4 ? 1e-6 : 1.0 / 256);
  return 4 * sum * (4 + static_cast<double>(k)) + stored * (std::abs(value) + 1);
}

/// Runs the case with run(args) and describes the worst mismatch; empty if there is none.
template <class T, class O, class Run>
std::string gemm_fault(const Case& s, Run&& run) {
  Problem<T, O> p(s);
  const auto [c, aux] = expected(p);
  run(p.g);
  double worst = 0;
  std::size_t worst_at = 0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    for (const double excess : {std::abs(widen(p.c[i]) - c[i]) / tolerance<O>(c[i], s.k),
                                std::abs(widen(p.aux[i]) - aux[i]) / tolerance<O>(aux[i], s.k)}) {
      // Written so that a NaN fails.
      if (!(excess <= worst)) {
        worst = excess;
        worst_at = i;
      }
    }
  }
  if (worst <= 1.0) return "";
  return str(s, " ", dtype_of<T>(), "->", dtype_of<O>(), ": element ", worst_at, " is ",
             widen(p.c[worst_at]), ", expected ", c[worst_at], ", ", worst, " times the tolerance");
}

}  // namespace eflow::test

// The GEMM text against plain f64 loops: sizes around every edge of its blocking, layouts, epilogues, stored types, on
// every instruction set of this CPU; and the same bits from 1, 2 and 3 threads.
#define BOOST_TEST_MODULE gemm
#include "eflow/kernels/args/gemm.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "eflow/base/bfloat16.hpp"
#include "eflow/base/dtype.hpp"
#include "eflow/jit/runtime.hpp"

namespace jit = eflow::jit;
using eflow::bfloat16;
using eflow::args::Gemm;

namespace {

double widen(double x) {
  return x;
}
double widen(bfloat16 x) {
  return static_cast<float>(x);
}

struct Case {
  long long m, n, k;
  bool a_transposed = false, b_transposed = false;
  bool bias = false, gelu = false, residual = false;
  double alpha = 1, beta = 0;
  long long batch0 = 1, batch1 = 1;
  bool b_shared = false;  ///< one B for all problems
  bool heads = false;     ///< batch[1] are heads inside a row: [B, N, H, d] views of A and C
  long long gap = 0;      ///< unused elements at the end of each row
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.m << "x" << c.n << "x" << c.k << " at" << c.a_transposed << " bt"
             << c.b_transposed << " bias" << c.bias << " gelu" << c.gelu << " residual"
             << c.residual << " alpha" << c.alpha << " beta" << c.beta << " batch" << c.batch0
             << "," << c.batch1 << " shared" << c.b_shared << " heads" << c.heads << " gap"
             << c.gap;
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
  std::vector<T> a, b, bias;
  std::vector<O> c, aux, residual;
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
    bias = random_values<T>(static_cast<std::size_t>(s.n + 1), 4);
    residual = random_values<O>(c.size(), 5);
    aux.resize(c.size());
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
    g.gelu = s.gelu;
    bind(s);
  }
  Problem(const Problem&) = delete;

  void bind(const Case& s) {
    g.a = a.data();
    g.b = b.data();
    g.c = c.data();
    g.bias = s.bias ? bias.data() : nullptr;
    g.aux = s.gelu ? aux.data() : nullptr;
    g.residual = s.residual ? residual.data() : nullptr;
  }
};

double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/// C and aux by the definition in args/gemm.h, in f64; elements that are no output keep their value.
template <class T, class O>
std::pair<std::vector<double>, std::vector<double>> expected(const Problem<T, O>& p) {
  const Gemm& g = p.g;
  std::vector<double> c(p.c.size()), aux(p.c.size(), 0.0);
  for (std::size_t i = 0; i < c.size(); ++i) c[i] = widen(p.c[i]);
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
          if (g.aux) aux[at] = sum;
          if (g.gelu) sum = gelu(sum);
          if (g.residual) sum += widen(p.residual[at]);
          c[at] = sum;
        }
      }
    }
  }
  return {c, aux};
}

template <class T, class O>
void run(const jit::Runtime& runtime, const Gemm& args) {
  Gemm g = args;
  const eflow::args::GemmGrid grid = eflow::args::gemm_grid(g, runtime.pool().size());
  runtime.launch("gemm", jit::Spec("gemm", {eflow::dtype_of<T>(), eflow::dtype_of<O>()}),
                 {grid.x, grid.y, grid.z}, g);
}

/// What rounding allows for a result of this size after `k` products: of the sums, and of storing them.
template <class O>
double tolerance(double value, long long k) {
  const double sum = sizeof(O) == 8 ? 1e-15 : 1e-7;
  const double stored = sizeof(O) == 8 ? 1e-15 : (sizeof(O) == 4 ? 1e-6 : 1.0 / 256);
  return 4 * sum * (4 + static_cast<double>(k)) + stored * (std::abs(value) + 1);
}

template <class T, class O>
void check(const jit::Runtime& runtime, const Case& s) {
  Problem<T, O> p(s);
  const auto [c, aux] = expected(p);
  run<T, O>(runtime, p.g);
  double worst = 0;
  std::size_t worst_at = 0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    for (const double excess : {std::abs(widen(p.c[i]) - c[i]) / tolerance<O>(c[i], s.k),
                                std::abs(widen(p.aux[i]) - aux[i]) / tolerance<O>(aux[i], s.k)}) {
      // A NaN must not pass, hence the form of the comparison.
      if (!(excess <= worst)) {
        worst = excess;
        worst_at = i;
      }
    }
  }
  BOOST_TEST(worst <= 1.0, s << " on " << jit::name_of(runtime.isa()) << " " << eflow::dtype_of<T>()
                             << "->" << eflow::dtype_of<O>() << ": element " << worst_at << " is "
                             << widen(p.c[worst_at]) << ", expected " << c[worst_at] << ", "
                             << worst << " times the tolerance");
}

/// The same bits whatever the number of threads.
template <class T, class O>
void check_threads(const Case& s) {
  std::vector<O> first;
  for (const int threads : {1, 2, 3}) {
    const jit::Runtime runtime({.threads = threads});
    Problem<T, O> p(s);
    run<T, O>(runtime, p.g);
    if (threads == 1) first = p.c;
    BOOST_TEST(std::equal(first.begin(), first.end(), p.c.begin(),
                          [](O x, O y) { return std::memcmp(&x, &y, sizeof x) == 0; }),
               s << " differs between 1 and " << threads << " threads");
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const std::vector<long long> edges{1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 65};
  for (const bool at : {false, true}) {
    for (const bool bt : {false, true}) {
      for (const long long e : edges) {
        all.push_back({.m = e, .n = 50, .k = 19, .a_transposed = at, .b_transposed = bt, .gap = 3});
        all.push_back({.m = 13, .n = e, .k = 20, .a_transposed = at, .b_transposed = bt});
        all.push_back(
            {.m = 11, .n = 35, .k = e, .a_transposed = at, .b_transposed = bt, .beta = 1});
      }
      // Several strips of rows, of columns, several chunks of k.
      all.push_back({.m = 205, .n = 37, .k = 65, .a_transposed = at, .b_transposed = bt});
      all.push_back(
          {.m = 9, .n = 1103, .k = 33, .a_transposed = at, .b_transposed = bt, .bias = true});
      all.push_back({.m = 18, .n = 70, .k = 1601, .a_transposed = at, .b_transposed = bt});
      all.push_back({.m = 18,
                     .n = 70,
                     .k = 1601,
                     .a_transposed = at,
                     .b_transposed = bt,
                     .bias = true,
                     .gelu = true});
      all.push_back({.m = 18,
                     .n = 21,
                     .k = 3073,
                     .a_transposed = at,
                     .b_transposed = bt,
                     .alpha = 0.5,
                     .beta = 1.5});
      all.push_back({.m = 27,
                     .n = 49,
                     .k = 40,
                     .a_transposed = at,
                     .b_transposed = bt,
                     .batch0 = 3,
                     .batch1 = 2});
    }
  }
  all.push_back({.m = 401, .n = 490, .k = 1600, .bias = true, .residual = true, .beta = 0.5});
  for (const bool gelu : {false, true}) {
    for (const bool residual : {false, true}) {
      for (const double beta : {0.0, 1.0, -0.25}) {
        all.push_back({.m = 25,
                       .n = 53,
                       .k = 30,
                       .bias = true,
                       .gelu = gelu,
                       .residual = residual,
                       .alpha = 0.75,
                       .beta = beta,
                       .gap = 1});
      }
    }
  }
  for (const long long d : {64, 72, 96, 128}) {
    all.push_back(
        {.m = 64, .n = 64, .k = d, .b_transposed = true, .alpha = 0.125, .batch0 = 2, .batch1 = 3});
    all.push_back({.m = 30, .n = d, .k = 64, .batch0 = 2, .batch1 = 3, .heads = true});
    all.push_back({.m = 64, .n = 48, .k = d, .batch0 = 2, .batch1 = 3, .heads = true});
    all.push_back({.m = 20, .n = d, .k = 24, .batch0 = 3, .b_shared = true});
  }
  all.push_back({.m = 20, .n = 31, .k = 24, .residual = true, .batch1 = 4, .b_shared = true});
  for (const double beta : {0.0, 2.0})
    all.push_back({.m = 5, .n = 7, .k = 0, .bias = true, .beta = beta});
  all.push_back({.m = 0, .n = 7, .k = 3});
  all.push_back({.m = 7, .n = 0, .k = 3});
  all.push_back({.m = 7, .n = 4, .k = 3, .batch0 = 0});
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(against_f64_loops_on_every_isa) {
  for (const jit::Isa isa : jit::usable_isas()) {
    BOOST_TEST_CONTEXT(jit::name_of(isa)) {
      const jit::Runtime runtime({.isa = isa, .threads = 3});
      for (const Case& s : cases()) {
        check<float, float>(runtime, s);
        check<double, double>(runtime, s);
        check<bfloat16, bfloat16>(runtime, s);
        check<bfloat16, float>(runtime, s);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(operands_without_contiguous_dimension) {
  // Every second column of A, every third of B; a row of A broadcast.
  for (const jit::Isa isa : jit::usable_isas()) {
    const jit::Runtime runtime({.isa = isa, .threads = 1});
    const long long m = 19, n = 37, k = 23;
    const auto a = random_values<float>(static_cast<std::size_t>(2 * m * k), 6);
    const auto b = random_values<float>(static_cast<std::size_t>(3 * n * k), 7);
    for (const long long a_rs : {2 * k, 0LL}) {
      std::vector<float> c(static_cast<std::size_t>(m * n));
      Gemm g{.a = a.data(),
             .b = b.data(),
             .c = c.data(),
             .alpha = 1,
             .m = m,
             .n = n,
             .k = k,
             .a_rs = a_rs,
             .a_cs = 2,
             .b_rs = 3 * n,
             .b_cs = 3,
             .c_rs = n,
             .batch = {1, 1}};
      run<float, float>(runtime, g);
      for (long long i = 0; i < m; ++i) {
        for (long long j = 0; j < n; ++j) {
          double sum = 0;
          for (long long l = 0; l < k; ++l) {
            sum += static_cast<double>(a[static_cast<std::size_t>(i * a_rs + 2 * l)]) *
                   static_cast<double>(b[static_cast<std::size_t>(3 * (l * n + j))]);
          }
          BOOST_TEST(std::abs(c[static_cast<std::size_t>(i * n + j)] - sum) < 1e-5);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(same_bits_from_any_number_of_threads) {
  for (const Case& s : std::vector<Case>{
           {.m = 203, .n = 301, .k = 1700},
           {.m = 77, .n = 530, .k = 1700, .b_transposed = true, .bias = true, .gelu = true},
           {.m = 31, .n = 45, .k = 70, .a_transposed = true, .beta = 0.5, .batch0 = 5}}) {
    check_threads<float, float>(s);
    check_threads<double, double>(s);
    check_threads<bfloat16, bfloat16>(s);
    check_threads<bfloat16, float>(s);
  }
}

BOOST_AUTO_TEST_CASE(grid_folds_a_shared_b_and_uses_every_thread) {
  Gemm g{.alpha = 1,
         .m = 100,
         .n = 64,
         .k = 32,
         .a_rs = 32,
         .a_cs = 1,
         .b_rs = 64,
         .b_cs = 1,
         .c_rs = 64,
         .batch = {8, 1},
         .a_bs = {3200, 0},
         .c_bs = {6400, 0}};
  const eflow::args::GemmGrid grid = eflow::args::gemm_grid(g, 4);
  BOOST_TEST(g.m == 800);
  BOOST_TEST(g.batch[0] == 1);
  BOOST_TEST(grid.x == 4);
  BOOST_TEST(grid.y * grid.z == 1);
}

// Compares the CPU text of GEMM with plain f64 loops: sizes around every edge of its blocking,
// layouts, epilogues and stored types, on every instruction set of this CPU. Also checks that 1, 2
// and 3 threads give the same bits.
#define BOOST_TEST_MODULE gemm
#include <boost/test/unit_test.hpp>

#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/kernels_src/gemm_problem.hpp"

namespace jit = eflow::jit;
using eflow::bfloat16;
using eflow::test::Case;
using eflow::test::Gemm;
using eflow::test::Problem;
using eflow::test::random_values;

namespace {

template <class T, class O>
void run(const jit::Runtime& runtime, const Gemm& args) {
  Gemm g = args;
  const eflow::args::GemmGrid grid = eflow::args::gemm_grid(g, runtime.pool().size());
  runtime.launch("gemm", jit::KernelSpec("gemm", {eflow::dtype_of<T>(), eflow::dtype_of<O>()}),
                 {grid.x, grid.y, grid.z}, g);
}

template <class T, class O>
void check(const jit::Runtime& runtime, const Case& s) {
  const std::string fault =
      eflow::test::gemm_fault<T, O>(s, [&](const Gemm& g) { run<T, O>(runtime, g); });
  BOOST_TEST(fault.empty(), fault << " on " << jit::name_of(runtime.isa()));
}

/// The result is bit-identical for any number of threads.
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
      // Several strips of rows and of columns, several chunks of k.
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
  for (const long long k : {30, 1700}) {
    all.push_back({.m = 25, .n = 53, .k = k, .gelu_gradient = true, .gap = 1});
    all.push_back({.m = 9, .n = 16, .k = k, .gelu_gradient = true, .alpha = 0.5, .batch1 = 2});
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
  // Strided operands: every second column of A, every third of B; one row of A broadcast.
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

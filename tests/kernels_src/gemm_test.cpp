// Compares the CPU text of GEMM with plain f64 loops: sizes around every edge of its blocking,
// layouts, epilogues and stored types, on every instruction set of this CPU. Also checks that 1, 2
// and 3 threads give the same bits.
#define BOOST_TEST_MODULE gemm
#include <boost/test/unit_test.hpp>

#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/kernels_src/gemm_edges.hpp"
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

}  // namespace

BOOST_AUTO_TEST_CASE(against_f64_loops_on_every_isa) {
  for (const jit::Isa isa : jit::usable_isas()) {
    BOOST_TEST_CONTEXT(jit::name_of(isa)) {
      const jit::Runtime runtime({.isa = isa, .threads = 3});
      for (const Case& s : eflow::test::gemm_edges()) {
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

// Runs the GPU text of GEMM on an emulated GPU and compares it with plain f64 loops.
#define BOOST_TEST_MODULE gemm_gpu
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/jit/emulation/machine.hpp"
#include "eflow/tests/kernels_src/gemm_gpu_cases.h"
#include "eflow/tests/kernels_src/gemm_problem.hpp"

namespace eflow_text_emulated_80_8 {
extern const GemmEntries kGemmEntries;
}
namespace eflow_text_emulated_75_8 {
extern const GemmEntries kGemmEntries;
}

namespace {

using eflow::bfloat16;
using eflow::test::Case;
using eflow::test::Gemm;
namespace emulated = eflow::emulated;

using eflow::args::GemmTile;
using eflow::args::kGemmTile;
using eflow::args::kLargeGemmTile;

template <class T, class O>
void check(const GemmEntry& entry, const Case& c, emulated::Schedule schedule,
           GemmTile tile = kGemmTile) {
  emulated::Launch launch;
  launch.shared_bytes =
      static_cast<std::size_t>(eflow::args::gemm_gpu_shared_bytes(tile, sizeof(T)));
  launch.schedule = schedule;
  emulated::Outcome outcome;
  const std::string fault = eflow::test::gemm_fault<T, O>(c, [&](const Gemm& args) {
    Gemm g = args;
    const eflow::args::GemmGrid grid = eflow::args::gemm_gpu_grid(g, tile);
    launch.x = grid.x;
    launch.y = grid.y;
    launch.z = grid.z;
    outcome = emulated::run(launch, entry.run, &g);
  });
  BOOST_TEST(outcome.error.empty(), c << ": " << outcome.error);
  BOOST_TEST(fault.empty(), fault);
  BOOST_TEST(outcome.bank_conflicts == 0, c);
}

// Sizes around the edges of blocks and k tiles, rows that are and are not whole 16-byte chunks,
// every layout, every epilogue, both kinds of batch.
const Case kCases[] = {
    {.m = 128, .n = 64, .k = 64},
    {.m = 130, .n = 66, .k = 33},
    {.m = 1, .n = 1, .k = 1},
    {.m = 40, .n = 24, .k = 0, .bias = true},
    {.m = 72, .n = 80, .k = 48, .b_transposed = true, .bias = true},
    {.m = 70, .n = 82, .k = 33, .gelu_gradient = true, .gap = 2},
    {.m = 136, .n = 72, .k = 40, .a_transposed = true},
    {.m = 31, .n = 45, .k = 17, .a_transposed = true, .b_transposed = true},
    {.m = 64,
     .n = 96,
     .k = 32,
     .bias = true,
     .gelu = true,
     .residual = true,
     .alpha = 0.5,
     .gap = 3},
    {.m = 33, .n = 64, .k = 24, .alpha = -2, .beta = 1, .gap = 8},
    {.m = 20, .n = 16, .k = 24, .beta = 0.25, .batch0 = 2, .batch1 = 2, .heads = true},
    {.m = 48, .n = 40, .k = 16, .batch0 = 3, .b_shared = true},
    {.m = 129, .n = 250, .k = 150, .b_transposed = true, .bias = true, .gelu = true},
    {.m = 260, .n = 131, .k = 97, .a_transposed = true, .beta = 1}};

}  // namespace

BOOST_DATA_TEST_CASE(with_matrix_instructions, boost::unit_test::data::make(kCases), c) {
  const GemmEntries& entries = eflow_text_emulated_80_8::kGemmEntries;
  check<float, float>(entries.f32, c, {.last_first = false, .late_copies = true});
  check<bfloat16, float>(entries.bf16_f32, c, {.last_first = true, .late_copies = true});
  check<bfloat16, bfloat16>(entries.bf16, c, {.last_first = true, .late_copies = false});
  check<double, double>(entries.f64, c, {.last_first = false, .late_copies = true});
}

BOOST_DATA_TEST_CASE(in_large_tiles, boost::unit_test::data::make(kCases), c) {
  const GemmEntries& entries = eflow_text_emulated_80_8::kGemmEntries;
  check<float, float>(entries.large_f32, c, {.last_first = true, .late_copies = true},
                      kLargeGemmTile);
  check<bfloat16, float>(entries.large_bf16_f32, c, {.last_first = false, .late_copies = true},
                         kLargeGemmTile);
  check<bfloat16, bfloat16>(entries.large_bf16, c, {.last_first = true, .late_copies = false},
                            kLargeGemmTile);
}

BOOST_AUTO_TEST_CASE(large_tiles_are_for_products_that_fill_them) {
  const auto is_large = [](long long m, long long n, long long batch, long long bytes) {
    Gemm g{};
    g.m = m;
    g.n = n;
    g.k = 64;
    g.batch[0] = batch;
    g.batch[1] = 1;
    return eflow::args::gemm_gpu_is_large(g, bytes);
  };
  BOOST_TEST(is_large(2048, 1152, 1, 2));  // 16 x 9 tiles
  BOOST_TEST(is_large(128, 128, 132, 4));
  BOOST_TEST(!is_large(128, 128, 131, 4));  // fewer than multiprocessors
  BOOST_TEST(!is_large(8192, 192, 4, 2));   // half of the last tiles would be empty
  BOOST_TEST(!is_large(2048, 1152, 1, 8));  // f64
}

BOOST_AUTO_TEST_CASE(without_matrix_instructions) {
  const GemmEntries& entries = eflow_text_emulated_75_8::kGemmEntries;
  for (const Case& c : {kCases[1], kCases[4], kCases[5]}) {
    check<float, float>(entries.f32, c, {});
    check<bfloat16, bfloat16>(entries.bf16, c, {});
  }
}

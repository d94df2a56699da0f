// Every op on a GPU that interprets PTX: NVRTC's output for the launches of core, f32 and bf16,
// against the CPU; warps in changing order; no race, no access out of bounds.
#define BOOST_TEST_MODULE ptx_ops
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"
#include "eflow/tests/support/wide_rows.hpp"

using namespace eflow;
using test::SkipWithoutNvrtc;

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

BOOST_AUTO_TEST_CASE(ops_agree_with_the_cpu) {
  const test::PtxGpu gpu;
  test::check_all_ops(gpu.device(), {DType::kF32, DType::kBF16});
  BOOST_TEST(gpu.launches() > 1000);
}

BOOST_AUTO_TEST_CASE(wide_rows_agree_with_the_cpu) {
  const test::PtxGpu gpu;
  test::check_wide_rows(gpu.device(), {DType::kF32, DType::kBF16});
}

// Every op on an emulated GPU: geometry, arguments, barriers and indices of all launches, and that
// no op accesses device memory from the host. Timing and races need a real GPU.
#define BOOST_TEST_MODULE cuda_ops
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/wide_rows.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(ops_agree_with_the_cpu) {
  const test::EmulatedGpu gpu;
  test::check_all_ops(gpu.device(), {DType::kF32, DType::kBF16});
  BOOST_TEST(gpu.launches() > 1000);
}

BOOST_AUTO_TEST_CASE(wide_rows_agree_with_the_cpu) {
  const test::EmulatedGpu gpu;
  test::check_wide_rows(gpu.device(), {DType::kF32, DType::kBF16});
}

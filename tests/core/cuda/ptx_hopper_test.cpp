// Attention with the configs of sm_90a on a GPU that interprets PTX: products of warpgroups, and
// bulk copies, against the composition of elementary ops on the CPU.
#define BOOST_TEST_MODULE ptx_hopper
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/hopper_attention.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"

using namespace eflow;
using test::SkipWithoutNvrtc;

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

BOOST_AUTO_TEST_CASE(products_of_warpgroups_are_the_composition) {
  const test::PtxGpu gpu({.arch = 90});
  test::check_hopper_configs(gpu.options(), test::hopper_case(DType::kBF16, 64, true, 0), false);
  BOOST_TEST(gpu.counts().group_products > 0);
  BOOST_TEST(gpu.counts().bulk_copies == 0);
}

BOOST_AUTO_TEST_CASE(walks_by_bulk_copies_are_the_composition) {
  const test::PtxGpu gpu({.arch = 90});
  test::check_hopper_configs(gpu.options(), test::hopper_case(DType::kBF16, 64, false, 0), true);
  test::check_hopper_configs(gpu.options(), test::hopper_case(DType::kF32, 24, true, 0), true);
  BOOST_TEST(gpu.counts().group_products > 0);
  BOOST_TEST(gpu.counts().bulk_copies > 0);
}

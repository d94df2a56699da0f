// On a real GPU: every primitive of the tile vocabulary, against scalar loops and the CPU.
#define BOOST_TEST_MODULE gpu_primitives
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/jit/tile_primitives.hpp"

using namespace eflow;
using test::GpuOrSkip;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

BOOST_AUTO_TEST_CASE(primitives_agree_with_the_cpu_in_blocks_of_four_warps) {
  test::check_tile_primitives(*test::gpu(), 128, {DType::kF32, DType::kBF16});
}

BOOST_AUTO_TEST_CASE(primitives_agree_with_the_cpu_in_blocks_of_eight_warps) {
  test::check_tile_primitives(*test::gpu(), 256, {DType::kF32, DType::kBF16});
}

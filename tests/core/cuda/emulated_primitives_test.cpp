// Every primitive of the tile vocabulary on an emulated GPU, launched as core launches kernels;
// tests/gpu does it on a real GPU.
#define BOOST_TEST_MODULE cuda_primitives
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/jit/tile_primitives.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(primitives_agree_with_the_cpu) {
  const test::EmulatedGpu gpu;
  test::check_tile_primitives(*gpu.device(), 128, {DType::kF32, DType::kBF16});
  BOOST_TEST(gpu.launches() == 64);
}

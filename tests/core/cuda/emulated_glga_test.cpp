// Fused attention on an emulated GPU, forward and backward, launched by core with its own tiles,
// grids and shared memory, against the composition of elementary ops on the CPU.
#define BOOST_TEST_MODULE cuda_glga
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/glga_agreement.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(fused_attention_is_its_composition) {
  const test::EmulatedGpu gpu;
  test::check_small_fused_glga(gpu);
}

// Fused attention on a GPU that interprets PTX, forward and backward, launched by core with its own
// tiles, grids and shared memory, against the composition of elementary ops on the CPU.
#define BOOST_TEST_MODULE ptx_glga
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/glga_agreement.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"

using namespace eflow;
using test::SkipWithoutNvrtc;

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

BOOST_AUTO_TEST_CASE(fused_attention_is_its_composition) {
  const test::PtxGpu gpu;
  test::check_small_fused_glga(gpu);
  BOOST_TEST(gpu.counts().products > 0);
  BOOST_TEST(gpu.counts().copies > 0);
}

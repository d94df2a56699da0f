// Fused attention on a GPU that interprets PTX, forward and backward, launched by core with its own
// tiles, grids and shared memory, against the composition of elementary ops on the CPU.
#define BOOST_TEST_MODULE ptx_glga
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/glga_agreement.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"

using namespace eflow;
using test::GlgaCase;
using test::SkipWithoutNvrtc;

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

BOOST_AUTO_TEST_CASE(fused_attention_is_its_composition) {
  const test::PtxGpu gpu;
  for (GlgaCase c : {GlgaCase{.dtype = DType::kF32, .tolerance = 5e-3},
                     GlgaCase{.dtype = DType::kF32, .kept_percent = 25, .tolerance = 5e-3},
                     GlgaCase{.dtype = DType::kBF16, .tolerance = 6e-2}}) {
    c.samples = c.heads = 2;
    c.tokens = 150;
    c.head = 16;
    c.radius = 40;
    const long long before = gpu.launches();
    test::check_fused_glga(gpu.device(), c);
    BOOST_TEST(gpu.launches() > before);
  }
  BOOST_TEST(gpu.counts().products > 0);
  BOOST_TEST(gpu.counts().copies > 0);
}

// Compiling a missing kernel during a capture, on an emulated GPU; tests/gpu does it on a real one.
#define BOOST_TEST_MODULE cuda_capture
#include <boost/test/unit_test.hpp>

#include "support/emulated_gpu.hpp"
#include "support/launch_capture.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(a_miss_leaves_the_capture_alive) {
  const test::EmulatedGpu gpu;
  test::check_miss_while_capturing(gpu.options());
}

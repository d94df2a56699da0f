// On a real GPU: launches during stream capture, and the host cost of a launch.
#define BOOST_TEST_MODULE gpu_graphs
#include <boost/test/unit_test.hpp>

#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/cuda/launch_capture.hpp"

using namespace eflow;
using test::GpuOrSkip;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

BOOST_AUTO_TEST_CASE(a_miss_leaves_the_capture_alive) {
  test::check_miss_while_capturing(test::gpu()->runtime().options());
}

BOOST_AUTO_TEST_CASE(launches_cost_the_host_little) {
  const jit::Overheads o = jit::measure_overheads(test::gpu()->runtime().options());
  BOOST_REQUIRE_MESSAGE(o.error.empty(), o.error);
  BOOST_TEST_MESSAGE("a launch of one empty block: " << o.launch_one_ns / 1000 << " us");
  BOOST_TEST_MESSAGE("looking up a prepared kernel: " << o.lookup_ns << " ns");
  BOOST_TEST_MESSAGE("compiling a small kernel: "
                     << o.compile_s << " s; loading it from the disk cache: " << o.disk_s
                     << " s, including the start of a Runtime");
  BOOST_TEST(o.launch_one_ns > 0);
}

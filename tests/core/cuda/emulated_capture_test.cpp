// Launches and uploads while a stream is captured, on an emulated GPU.
#define BOOST_TEST_MODULE cuda_capture
#include <boost/test/unit_test.hpp>

#include "eflow/core/cuda/staging.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/cuda/launch_capture.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(a_miss_leaves_the_capture_alive) {
  const test::EmulatedGpu gpu;
  test::check_miss_while_capturing(gpu.options());
}

/// More bytes than the pinned ring holds, uploaded while work is gathered: the ring's memory is used
/// again only after the recorded copies out of it were issued and done.
BOOST_AUTO_TEST_CASE(uploads_beyond_the_pinned_ring_while_gathering) {
  const test::EmulatedGpu gpu(true);
  const DevicePtr device = gpu.device();
  constexpr std::int64_t kCount =
      static_cast<std::int64_t>((detail::CudaStaging::kSegments + 1) *
                                detail::CudaStaging::kSegmentBytes / sizeof(float)) +
      3;
  std::vector<float> values(static_cast<std::size_t>(kCount));
  for (int step = 0; step < 3; ++step) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>((i + static_cast<std::size_t>(step)) % 8191);
    device->begin_gathering();
    const Tensor small = Tensor::from(std::vector<float>{1, 2, 3}, {3}, device);
    const Tensor large = Tensor::from(values, {kCount}, device);
    const Tensor again = Tensor::from(values, {kCount}, device);
    device->end_gathering();
    BOOST_TEST((small.to_vector<float>() == std::vector<float>{1, 2, 3}));
    BOOST_TEST((large.to_vector<float>() == values));
    BOOST_TEST((again.to_vector<float>() == values));
  }
  BOOST_TEST(gpu.graphs() > 1);
}

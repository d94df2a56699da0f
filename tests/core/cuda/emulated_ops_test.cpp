// Every op on an emulated GPU: geometry, arguments, barriers and indices of all launches, and that
// no op accesses device memory from the host. Timing and races need a real GPU.
#define BOOST_TEST_MODULE cuda_ops
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/op_agreement.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(ops_agree_with_the_cpu) {
  const test::EmulatedGpu gpu;
  test::check_all_ops(gpu.device(), {DType::kF32, DType::kBF16});
  BOOST_TEST(gpu.launches() > 1000);
}

/// A grid has at most 65535 blocks along y and z: longer ranges are launched in slices.
BOOST_AUTO_TEST_CASE(ranges_beyond_a_grid_are_launched_in_slices) {
  const test::EmulatedGpu gpu;
  const test::DefaultDevice here(gpu.device());
  constexpr std::int64_t kMany = 70000;
  std::vector<float> values(kMany * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13) - 6;
  const Tensor x = Tensor::from(values, {kMany, 2, 2}, gpu.device());
  const std::vector<float> sums = sum(x, {1}).to_vector<float>(),
                           products = matmul(x, x).to_vector<float>();
  for (std::size_t i = 0; i < kMany; ++i) {
    const float *v = &values[4 * i], *s = &sums[2 * i], *p = &products[4 * i];
    BOOST_REQUIRE((s[0] == v[0] + v[2] && s[1] == v[1] + v[3]));
    BOOST_REQUIRE((p[0] == v[0] * v[0] + v[1] * v[2] && p[1] == v[0] * v[1] + v[1] * v[3] &&
                   p[2] == v[2] * v[0] + v[3] * v[2] && p[3] == v[2] * v[1] + v[3] * v[3]));
  }
}

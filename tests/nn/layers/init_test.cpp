#define BOOST_TEST_MODULE init
#include "eflow/nn/layers/init.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

InitRequest request(const std::string& name, DType dtype = DType::kF32) {
  return {name, {40, 50}, dtype, default_device(), {.seed = 3}};
}

BOOST_AUTO_TEST_CASE(values_depend_on_seed_and_name_only) {
  const Init init = normal_init(0.02);
  const Tensor a = init(request("a.weight"));
  BOOST_TEST(test::distance(a, init(request("a.weight"))) == 0);
  BOOST_TEST(test::distance(a, init(request("b.weight"))) > 0.01);
  InitRequest other = request("a.weight");
  other.key.seed = 4;
  BOOST_TEST(test::distance(a, init(other)) > 0.01);
}

BOOST_AUTO_TEST_CASE(an_f64_model_starts_at_the_f32_values) {
  const Init init = xavier_uniform(50, 40);
  const auto f32 = init(request("w")).to_vector<double>();
  BOOST_TEST(f32 == init(request("w", DType::kF64)).to_vector<double>());
}

BOOST_AUTO_TEST_CASE(xavier_has_its_bound_and_its_variance) {
  const auto values = xavier_uniform(50, 40)(request("w")).to_vector<double>();
  const double bound = std::sqrt(6.0 / 90);
  double squares = 0, largest = 0;
  for (const double v : values) {
    squares += v * v;
    largest = std::max(largest, std::abs(v));
  }
  BOOST_TEST(largest <= bound);
  BOOST_TEST(largest > 0.99 * bound);
  BOOST_TEST(squares / 2000 == bound * bound / 3, boost::test_tools::tolerance(0.06));
}

BOOST_AUTO_TEST_CASE(normal_has_its_deviation) {
  const auto values = normal_init(0.02)(request("w")).to_vector<double>();
  double squares = 0;
  for (const double v : values) squares += v * v;
  BOOST_TEST(std::sqrt(squares / 2000) == 0.02, boost::test_tools::tolerance(0.05));
}

}  // namespace
}  // namespace eflow::nn

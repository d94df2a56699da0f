#define BOOST_TEST_MODULE schedule
#include "eflow/nn/optim/schedule.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"

namespace eflow::nn {
namespace {

BOOST_AUTO_TEST_CASE(learning_rates_warm_up_and_fall) {
  const LearningRate cosine{
      .peak = 2, .curve = Curve::kCosine, .warmup = 10, .total = 110, .end_fraction = 0.05};
  BOOST_TEST(cosine.at(0) == 0.2);
  BOOST_TEST(cosine.at(9) == 2);
  BOOST_TEST(cosine.at(10) == 2);
  BOOST_TEST(cosine.at(60) == 2 * (0.05 + 0.95 / 2), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(cosine.at(110) == 0.1, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(cosine.at(500) == 0.1, boost::test_tools::tolerance(1e-12));
  const LearningRate linear{.peak = 1, .curve = Curve::kLinear, .warmup = 0, .total = 4};
  BOOST_TEST(linear.at(1) == 0.75);
  const LearningRate constant{.peak = 1, .curve = Curve::kConstant, .warmup = 2, .total = 4};
  BOOST_TEST(constant.at(0) == 0.5);
  BOOST_TEST(constant.at(9) == 1);
  for (const char* name : {"constant", "cosine", "linear"})
    BOOST_TEST(name_of(curve_kind(name)) == name);
  BOOST_CHECK_THROW(static_cast<void>(curve_kind("step")), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn

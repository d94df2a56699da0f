#define BOOST_TEST_MODULE ema
#include "eflow/nn/optim/ema.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"

namespace eflow::nn {
namespace {

using Doubles = std::vector<double>;

NamedTensors leaf(const Doubles& values) {
  Tensor t = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  t.set_requires_grad();
  return {{"p", t}};
}

BOOST_AUTO_TEST_CASE(ema_warms_up) {
  const EmaOptions options{.decay = 0.999};
  BOOST_TEST(ema_decay(options, 0) == 0.1);
  BOOST_TEST(ema_decay(options, 90) == 0.91);
  BOOST_TEST(ema_decay(options, 1'000'000) == 0.999);
  BOOST_TEST(ema_decay({.decay = 0.999, .warmup = false}, 0) == 0.999);
}

BOOST_AUTO_TEST_CASE(ema_averages_and_is_not_trained) {
  const NamedTensors average = leaf({0, 0}), value = leaf({1, 2});
  Ema ema(average, value, {.decay = 0.5, .warmup = false});
  BOOST_TEST(average[0].second.to_vector<double>() == (Doubles{1, 2}));
  BOOST_TEST(!average[0].second.requires_grad());
  Tensor v = value[0].second;
  v.assign(Tensor::from(Doubles{3, 6}, {2}));
  ema.update();
  BOOST_TEST(average[0].second.to_vector<double>() == (Doubles{2, 4}));
  BOOST_TEST(ema.updates() == 1);
  BOOST_CHECK_THROW(Ema({{"q", average[0].second}}, value), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn

#define BOOST_TEST_MODULE grad_clip
#include "eflow/nn/optim/grad_clip.hpp"

#include <boost/test/unit_test.hpp>

namespace eflow::nn {
namespace {

using Doubles = std::vector<double>;

NamedTensors leaf(const Doubles& values) {
  Tensor t = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  t.set_requires_grad();
  return {{"p", t}};
}

BOOST_AUTO_TEST_CASE(the_gradient_norm_covers_all_parameters) {
  NamedTensors p = leaf({0, 0});
  p.push_back(leaf({0})[0]);
  p.push_back(leaf({0})[0]);
  p[0].second.set_grad(Tensor::from(Doubles{3, 0}, {2}));
  p[1].second.set_grad(Tensor::from(Doubles{4}, {1}));
  BOOST_TEST(gradient_norm(p) == 5);
  BOOST_TEST(clip_factor(5, 1) == 0.2);
  BOOST_TEST(clip_factor(0.5, 1) == 1);
  BOOST_TEST(clip_factor(5, 0) == 1);
}

}  // namespace
}  // namespace eflow::nn

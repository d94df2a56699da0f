// Weights fitted to a model with other embedders: the second model computes what the first did.
#define BOOST_TEST_MODULE fit_weights
#include "eflow/trainer/weights/fit_weights.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

nn::DiTConfig small() {
  nn::DiTConfig c = test::small_dit(2);
  c.channels = 2, c.dim = 16;
  c.classes = 3;
  return c;
}

const nn::Scope kScope({.seed = 1}, DType::kF64);

std::unique_ptr<nn::VideoDiT> trained(const nn::DiTConfig& config) {
  auto model = std::make_unique<nn::VideoDiT>(kScope, config);
  test::perturb(model->parameters(), 0.2);
  return model;
}

/// A model `to` with the fitted weights of `from`.
std::unique_ptr<nn::VideoDiT> fitted(const nn::VideoDiT& from, const nn::DiTConfig& to,
                                     std::size_t notes, double w = 4) {
  const FittedWeights fit = fit_weights(from.state(), from.config(), to, w);
  BOOST_TEST(fit.notes.size() == notes);
  auto model = std::make_unique<nn::VideoDiT>(nn::Scope({.seed = 9}, DType::kF64), to);
  model->load_state(fit.weights);
  return model;
}

Tensor run(const nn::VideoDiT& model, double w = 0, double s0 = 0.3) {
  nn::Condition c;
  c.labels = Tensor::from(std::vector<std::int64_t>{2, 0}, {2});
  if (w > 0) c.guidance = Tensor::full({2}, w, DType::kF64);
  return model(test::values({2, 2, 2, 4, 4}, 1), Tensor::from(std::vector<double>{0.7, 0.4}, {2}),
               Tensor::from(std::vector<double>{s0, 0.1}, {2}), c);
}

}  // namespace

BOOST_AUTO_TEST_CASE(equal_models_keep_their_weights) {
  const auto from = trained(small());
  BOOST_TEST(test::distance(run(*from), run(*fitted(*from, small(), 0))) == 0);
}

/// An AnyFlow stage does not take the guidance scale; it begins at one scale of the EFlow run.
BOOST_AUTO_TEST_CASE(a_guidance_scale_is_folded) {
  nn::DiTConfig guided = small();
  guided.guidance_embedding = true;
  const auto from = trained(guided);
  for (const double w : {2.5, 4.0})
    BOOST_TEST(test::distance(run(*from, w), run(*fitted(*from, small(), 1, w))) < 1e-13);
  BOOST_TEST(test::distance(run(*from, 2.5), run(*fitted(*from, small(), 1, 4))) > 1e-6);
}

BOOST_AUTO_TEST_CASE(new_embedders_begin_without_effect) {
  nn::DiTConfig plain = small(), to = small();
  plain.gap = nn::GapInput::kNone;
  plain.long_residual = false;
  to.guidance_embedding = true;
  const auto from = trained(plain);
  for (const nn::GapInput gap : {nn::GapInput::kInterval, nn::GapInput::kEnd}) {
    to.gap = gap;
    const auto model = fitted(*from, to, 3);
    for (const double s : {0.7, 0.2})
      BOOST_TEST(test::distance(run(*from), run(*model, 3, s)) < 1e-13);
    // The new parts receive gradients.
    backward(sum(square(run(*model, 3))));
    for (const auto& [name, p] : model->parameters()) {
      const bool gap_out = name.starts_with("gap.out") || name.starts_with("guidance.out");
      if (gap_out || name == "fusion.weight") BOOST_TEST(test::largest(p.grad()) > 0, name);
    }
  }
}

BOOST_AUTO_TEST_CASE(weights_that_mean_something_else_are_refused) {
  const auto refuses = [](auto change, bool reverse = false) {
    nn::DiTConfig a = small(), b = small();
    change(b);
    if (reverse) std::swap(a, b);
    BOOST_CHECK_THROW(static_cast<void>(fit_weights(trained(a)->state(), a, b, 4)),
                      InvalidArgument);
  };
  refuses([](nn::DiTConfig& c) { c.heads = 1; });
  refuses([](nn::DiTConfig& c) { c.time_scale = 1000; });
  refuses([](nn::DiTConfig& c) { c.gap = nn::GapInput::kEnd; });
  refuses([](nn::DiTConfig& c) { c.gap = nn::GapInput::kNone; });
  refuses([](nn::DiTConfig& c) { c.prediction = nn::Prediction::kData; });
}

#define BOOST_TEST_MODULE context_memory
#include "eflow/nn/dit/context_memory.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/dit/clip_stream.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/sampling/sampler.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

namespace eflow::nn {
namespace {

std::unique_ptr<VideoDiT> text_model(std::int64_t chunk_frames = 0) {
  DiTConfig c = test::small_dit(3);
  c.context_dim = 5;
  c.chunk_frames = chunk_frames;
  auto model = std::make_unique<VideoDiT>(Scope({.seed = 1}, DType::kF64), c);
  test::perturb(model->parameters(), 0.2);
  return model;
}

const Tensor kClips = test::values({2, 3, 3, 4, 4}, 1);
const Tensor kContext = test::values({2, 7, 5}, 2);

Tensor at(const VideoDiT& model, double time, const Condition& condition) {
  const Tensor t = Tensor::full({2}, time, DType::kF64), s = t * 0.5;
  return model(kClips * time, t, s, condition);
}

Condition remembering(const Tensor& context) {
  return {.context = context, .context_memory = std::make_shared<ContextMemory>(context)};
}

/// Changes the weights that a remembered context does not need.
void spoil_keys(const VideoDiT& model) {
  for (const auto& [name, parameter] : model.parameters())
    if (name.find("cross_attention.kv") != std::string::npos) parameter.assign(parameter * -3.0);
}

BOOST_AUTO_TEST_CASE(later_passes_read_what_the_first_computed) {
  const auto model = text_model();
  const NoGrad off;
  const Condition plain{.context = kContext}, kept = remembering(kContext);
  std::vector<Tensor> expected;
  for (const double t : {0.9, 0.6, 0.3}) expected.push_back(at(*model, t, plain));
  BOOST_TEST(test::distance(at(*model, 0.9, kept), expected[0]) == 0);
  spoil_keys(*model);
  BOOST_TEST(test::distance(at(*model, 0.6, kept), expected[1]) == 0);
  BOOST_TEST(test::distance(at(*model, 0.3, kept), expected[2]) == 0);
  BOOST_TEST(test::distance(at(*model, 0.3, plain), expected[2]) > 1e-6);
}

BOOST_AUTO_TEST_CASE(a_first_pass_that_skips_blocks_leaves_theirs_to_later_ones) {
  const auto model = text_model();
  const NoGrad off;
  Condition kept = remembering(kContext), weak = kept;
  weak.path = Path::kWeak;
  static_cast<void>(at(*model, 0.9, weak));
  BOOST_TEST(test::distance(at(*model, 0.6, kept), at(*model, 0.6, {.context = kContext})) == 0);
}

BOOST_AUTO_TEST_CASE(passes_that_record_gradients_neither_fill_nor_read) {
  const auto model = text_model();
  const Condition kept = remembering(kContext);
  const auto gradient = [&](const Condition& condition) {
    for (const auto& [name, parameter] : model->parameters()) parameter.clear_grad();
    backward(sum(at(*model, 0.9, condition)));
    Tensor found;
    for (const auto& [name, parameter] : model->parameters())
      if (name == "middle.0.cross_attention.kv.weight") found = parameter.grad();
    return found;
  };
  const Tensor expected = gradient({.context = kContext});
  BOOST_TEST(test::largest(expected) > 1e-6);
  BOOST_TEST(test::distance(gradient(kept), expected) == 0);
  {
    const NoGrad off;
    static_cast<void>(at(*model, 0.6, kept));
  }
  BOOST_TEST(test::distance(gradient(kept), expected) == 0);
}

BOOST_AUTO_TEST_CASE(another_context_is_refused) {
  const auto model = text_model();
  const NoGrad off;
  Condition kept = remembering(kContext);
  kept.context = test::values({2, 7, 5}, 3);
  BOOST_CHECK_THROW(static_cast<void>(at(*model, 0.9, kept)), InvalidArgument);
}

/// Samples with a network that is given no memory; the reference.
Tensor sampled(const soflow::Network& network, bool forget, const Condition& condition) {
  const soflow::Network forgetful = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                                        const Condition& c) {
    Condition alone = c;
    alone.context_memory = nullptr;
    return network(x, t, s, alone);
  };
  const soflow::SampleOptions options{.sampler = soflow::Sampler::kCompose, .steps = 3, .seed = 4};
  return *soflow::sample(forget ? forgetful : network, kClips, {8, 9}, condition, options);
}

BOOST_AUTO_TEST_CASE(samplers_use_it_with_and_without_guidance) {
  for (const bool guidance : {false, true}) {
    const auto model = text_model();
    soflow::Network network = std::cref(*model);
    if (guidance) network = soflow::guided(network, 2.5, soflow::Unconditional::kNullCondition, 0);
    const Condition condition{.context = kContext, .null_context = test::values({7, 5}, 6)};
    const Tensor expected = sampled(network, true, condition);
    BOOST_TEST(test::distance(sampled(network, false, condition), expected) == 0);
    // Weights that change between two steps show which steps read them.
    int calls = 0;
    const soflow::Network spoiling = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                                         const Condition& c) {
      const Tensor F = network(x, t, s, c);
      if (calls++ == 0) spoil_keys(*model);
      return F;
    };
    BOOST_TEST(test::distance(sampled(spoiling, false, condition), expected) == 0);
  }
}

BOOST_AUTO_TEST_CASE(streams_use_it) {
  const auto model = text_model(1);
  const NoGrad off;
  ClipStream stream(*model, {.context = kContext});
  const auto next = [&] {
    const Tensor x = test::values(stream.next_shape(2), 5);
    const Tensor t = Tensor::full({2}, 0.5, DType::kF64);
    return stream(x, t, t);
  };
  const Tensor expected = next();
  spoil_keys(*model);
  BOOST_TEST(test::distance(next(), expected) == 0);
}

}  // namespace
}  // namespace eflow::nn

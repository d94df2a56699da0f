// Sampling chunk by chunk: a sample does not depend on its batch, a chunk depends only on its own
// noise and on earlier chunks, and gradients of simulated streams stay within a chunk.
#define BOOST_TEST_MODULE stream_sampler
#include "eflow/soflow/sampling/stream_sampler.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

namespace eflow::soflow {
namespace {

nn::DiTConfig small() {
  nn::DiTConfig c = test::small_dit(4);
  c.channels = 2, c.dim = 16;
  c.chunk_frames = 2;
  return c;
}

struct Model {
  nn::VideoDiT net{nn::Scope({.seed = 1}, DType::kF64), small()};
  Model() { test::perturb(net.parameters(), 0.2); }
};

Tensor rows(const Tensor& t, std::int64_t begin, std::int64_t count) {
  return contiguous(narrow(t, 0, begin, count));
}

BOOST_AUTO_TEST_CASE(a_sample_depends_on_its_own_noise_and_id) {
  const Model model;
  const Tensor x1 = test::values({3, 2, 4, 4, 4}, 1);
  for (const Sampler sampler : {Sampler::kRenoise, Sampler::kCompose, Sampler::kEuler}) {
    const SampleOptions options{.sampler = sampler, .steps = 2};
    const Tensor all = *sample_stream(model.net, x1, {5, 6, 7}, {}, options);
    const Tensor last = *sample_stream(model.net, rows(x1, 2, 1), {7}, {}, options);
    BOOST_TEST(all.shape() == x1.shape());
    BOOST_TEST(test::distance(rows(all, 2, 1), last) < 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(later_noise_does_not_reach_earlier_frames) {
  const Model model;
  const Tensor x1 = test::values({1, 2, 4, 4, 4}, 1);
  const Tensor other = concat({narrow(x1, 2, 0, 3), test::values({1, 2, 1, 4, 4}, 2)}, 2);
  const Tensor a = *sample_stream(model.net, x1, {0}, {}),
               b = *sample_stream(model.net, other, {0}, {});
  BOOST_TEST(test::distance(narrow(a, 2, 0, 3), narrow(b, 2, 0, 3)) == 0);
  BOOST_TEST(test::distance(narrow(a, 2, 3, 1), narrow(b, 2, 3, 1)) > 1e-6);
}

/// A stream may be longer than the clips that the model was built for; its beginning is that of a
/// short one, and a model that was built for long clips makes the same.
BOOST_AUTO_TEST_CASE(streams_are_as_long_as_their_noise) {
  const Model model;
  const Tensor x1 = test::values({1, 2, 9, 4, 4}, 1);
  const Tensor long_clip = *sample_stream(model.net, x1, {0}, {});
  BOOST_TEST(long_clip.shape() == x1.shape());
  const Tensor start = *sample_stream(model.net, contiguous(narrow(x1, 2, 0, 3)), {0}, {});
  BOOST_TEST(test::distance(narrow(long_clip, 2, 0, 3), start) < 1e-12);
  nn::DiTConfig config = small();
  config.frames = 9;
  nn::VideoDiT built(nn::Scope({.seed = 1}, DType::kF64), config);
  built.load_state(model.net.state());
  BOOST_TEST(test::distance(long_clip, *sample_stream(built, x1, {0}, {})) < 1e-12);
  config = small();
  config.position_table = true;
  const nn::VideoDiT table(nn::Scope({.seed = 1}, DType::kF64), config);
  BOOST_CHECK_THROW(static_cast<void>(sample_stream(table, x1, {0}, {})), InvalidArgument);
}

/// Given frames are returned as they are, and what follows is what follows them in a stream that
/// made them itself.
BOOST_AUTO_TEST_CASE(streams_continue_given_frames) {
  const Model model;
  const Tensor x1 = test::values({1, 2, 6, 4, 4}, 1);
  const Tensor whole = *sample_stream(model.net, x1, {0}, {});
  for (const std::int64_t frames : {1, 3, 5}) {
    const Tensor given = contiguous(narrow(whole, 2, 0, frames));
    SampleOptions options;
    int calls = 0;
    options.progress = [&](int, int steps) {
      BOOST_TEST(steps == 4 * (frames == 1 ? 3 : frames == 3 ? 2 : 1));
      return ++calls > 0;
    };
    const Tensor other =
        concat({test::values({1, 2, frames, 4, 4}, 2), narrow(x1, 2, frames, 6 - frames)}, 2);
    BOOST_TEST(test::distance(*sample_stream(model.net, other, {0}, {}, options, given), whole) <
               1e-12);
    BOOST_TEST(calls == 4 * chunks_to_sample(small(), 6, frames));
  }
  for (const std::int64_t frames : {2, 4, 7}) {
    const Tensor given = test::values({1, 2, frames, 4, 4}, 3);
    BOOST_CHECK_THROW(static_cast<void>(sample_stream(model.net, x1, {0}, {}, {}, given)),
                      InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(progress_counts_all_chunks_and_can_stop) {
  const Model model;
  std::vector<int> seen;
  SampleOptions options{.steps = 2};
  options.progress = [&](int done, int steps) {
    BOOST_TEST(steps == 6);
    seen.push_back(done);
    return done < 4;
  };
  BOOST_TEST(
      !sample_stream(model.net, test::values({1, 2, 4, 4, 4}, 1), {0}, {}, options).has_value());
  BOOST_TEST(seen == (std::vector<int>{1, 2, 3, 4}), boost::test_tools::per_element());
}

/// Gradients treat earlier chunks as constants: the last frame's loss has no gradient with respect
/// to the noise of earlier frames.
BOOST_AUTO_TEST_CASE(gradients_stay_within_a_chunk) {
  const Model model;
  const RollOut roll = simulated_stream(model.net, {.rollouts = {2, 4}});
  Tensor x1 = test::values({1, 2, 4, 4, 4}, 1);
  x1.set_requires_grad();
  const Tensor y = roll(x1, {.seed = 1, .purpose = 30}, {});
  backward(sum(square(narrow(y, 2, 3, 1))));
  BOOST_TEST(test::largest(narrow(x1.grad(), 2, 0, 3)) == 0);
  BOOST_TEST(test::largest(narrow(x1.grad(), 2, 3, 1)) > 0);
}

/// All chunks of a rollout simulate step k of the same n-step sampler.
BOOST_AUTO_TEST_CASE(a_rollout_has_one_step_for_all_chunks) {
  const Model model;
  const OnPolicyOptions options{.rollouts = {1, 2, 3, 4, 5, 6, 7}, .shift = 3};
  const RollOut roll = simulated_stream(model.net, options);
  const Tensor x1 = test::values({1, 2, 4, 4, 4}, 1);
  for (std::uint64_t step = 0; step < 6; ++step) {
    const RandomKey choice{.seed = 1, .purpose = 30, .step = step};
    const auto [n, k] = draw_simulated_step(options.rollouts, choice);
    nn::ClipStream stream(model.net, {});
    std::vector<Tensor> chunks;
    while (!stream.done()) {
      const Network network = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                                  const nn::Condition&) { return stream(x, t, s); };
      const Tensor noise = contiguous(narrow(x1, 2, stream.first_frame(), stream.next_shape(1)[2]));
      const Tensor x = roll_out(network, noise, backward_simulation_times(n, k, 3), {});
      stream.remember(x);
      chunks.push_back(x);
    }
    BOOST_TEST(test::distance(roll(x1, choice, {}), concat(chunks, 2)) == 0, "n, k " << n << k);
  }
}

/// Causal forward training passes the clean clips as a condition in every call.
BOOST_AUTO_TEST_CASE(causal_training_passes_the_clean_clips) {
  Batch batch;
  batch.x0 = test::values({4, 2, 4, 4, 4}, 5);
  batch.indices = {0, 1, 2, 3};
  int calls = 0;
  const Network recording = [&](const Tensor& x, const Tensor&, const Tensor&,
                                const nn::Condition& c) {
    ++calls;
    BOOST_TEST(c.clean.is(batch.x0));
    return x * 0.5;
  };
  static_cast<void>(AnyFlowObjective({.guidance = 3, .causal = true})(recording, batch, 0));
  BOOST_TEST(calls == 4);
  const Model model;
  const StepLoss loss =
      AnyFlowObjective({.guidance = 1, .causal = true})(std::cref(model.net), batch, 0);
  backward(loss.total);
  for (const auto& [name, p] : model.net.parameters()) BOOST_TEST(p.grad().defined(), name);
}

}  // namespace
}  // namespace eflow::soflow

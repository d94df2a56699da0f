// A network whose clips ranks divide, against one rank: outputs and the gradients of all weights in
// f64, for every kind of pass that can be divided; memory per rank; and what is refused.
#define BOOST_TEST_MODULE divided_clips
#include <boost/test/unit_test.hpp>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

using namespace eflow;
using namespace eflow::nn;

namespace {

/// 7 x 2 x 2 tokens, of which the first frame is a pair of its own.
DiTConfig small() {
  DiTConfig c = test::small_dit(7);
  c.window_frames = 2;
  c.classes = 3;
  return c;
}

/// Half of each box of structured dropping, 1x2x2 tokens in the first frame and 2x2x2 in the
/// others.
Tensor half_of_boxes() {
  std::vector<std::int64_t> ids;
  for (std::int64_t b = 0; b < 2; ++b) {
    for (const std::int64_t i : {0, 1}) ids.push_back(2 * i + b);
    for (std::int64_t box = 4; box < 28; box += 8) {
      for (const std::int64_t i : {0, 3, 4, 6}) ids.push_back(box + i + b);
    }
  }
  return Tensor::from(ids, {2, 14});
}

/// A quarter of each box.
Tensor quarter_of_boxes() {
  std::vector<std::int64_t> ids;
  for (std::int64_t b = 0; b < 2; ++b) {
    ids.push_back(b);
    for (std::int64_t box = 4; box < 28; box += 8) {
      for (const std::int64_t i : {1, 5}) ids.push_back(box + i + b);
    }
  }
  return Tensor::from(ids, {2, 7});
}

struct Pass {
  const char* name;
  std::function<void(DiTConfig*)> change = [](DiTConfig*) {};
  std::function<void(Condition*)> condition = [](Condition*) {};
  bool times_of_frames = false;
};

const std::vector<Pass>& passes() {
  static const std::vector<Pass> all = {
      {"glga"},
      {"glga, gates per head", [](DiTConfig* c) { c->gates = GateKind::kHead; }},
      {"glga, gates per channel", [](DiTConfig* c) { c->gates = GateKind::kChannel; }},
      {"window of most of the clip", [](DiTConfig* c) { c->window_frames = 9; }},
      {"window", [](DiTConfig* c) { c->attention = AttentionKind::kWindow; }},
      {"linear", [](DiTConfig* c) { c->attention = AttentionKind::kLinear; }},
      {"sum", [](DiTConfig* c) { c->attention = AttentionKind::kSum; }},
      {"softmax", [](DiTConfig* c) { c->attention = AttentionKind::kSoftmax; }},
      {"softmax, recomputed",
       [](DiTConfig* c) {
         c->attention = AttentionKind::kSoftmax;
         c->recompute = true;
       }},
      {"one softmax block", [](DiTConfig* c) { c->softmax_every = 1; }},
      {"sana", [](DiTConfig* c) { c->attention = AttentionKind::kSana; }},
      {"mix feed-forward", [](DiTConfig* c) { c->feed_forward = FeedForwardKind::kMix; }},
      {"mix feed-forward, a quarter kept",
       [](DiTConfig* c) { c->feed_forward = FeedForwardKind::kMix; },
       [](Condition* c) { c->kept = quarter_of_boxes(); }},
      {"recomputed", [](DiTConfig* c) { c->recompute = true; }},
      {"position table, data head",
       [](DiTConfig* c) {
         c->position_table = true;
         c->prediction = Prediction::kData;
       }},
      {"cross-attention", [](DiTConfig* c) { c->context_dim = 5; },
       [](Condition* c) {
         c->context = test::values({2, 3, 5}, 9);
       }},
      {"dropped", [](DiTConfig*) {}, [](Condition* c) { c->kept = half_of_boxes(); }},
      {"dropped, compact", [](DiTConfig* c) { c->window_index = WindowIndex::kCompact; },
       [](Condition* c) { c->kept = half_of_boxes(); }},
      {"weak path", [](DiTConfig*) {}, [](Condition* c) { c->path = Path::kWeak; }},
      {"times of frames", [](DiTConfig*) {}, [](Condition*) {}, true},
      {"times of frames, dropped", [](DiTConfig*) {},
       [](Condition* c) { c->kept = half_of_boxes(); }, true},
      {"given frames", [](DiTConfig*) {},
       [](Condition* c) {
         c->given = test::values({2, 3, 7, 4, 4}, 8);
         const std::vector<double> known = {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
         c->known = Tensor::from(known, {2, 7});
       }}};
  return all;
}

/// The output and, by name, the gradients.
struct Results {
  Tensor out;
  NamedTensors gradients;
};

Results run(const Pass& pass, comm::Communicator* ranks) {
  DiTConfig config = small();
  pass.change(&config);
  VideoDiT model(Scope({.seed = 1}, DType::kF64), config);
  test::perturb(model.parameters(), 0.2);
  model.divide_clips(ranks);
  Condition condition;
  condition.labels = Tensor::from(std::vector<std::int64_t>{2, 0}, {2});
  pass.condition(&condition);
  const Shape times = pass.times_of_frames ? Shape{2, 7} : Shape{2};
  const Tensor t = test::values(times, 3, 0.2) + 0.7, s = test::values(times, 4, 0.2) + 0.2;
  const Tensor x = test::values({2, 3, 7, 4, 4}, 1);
  Results results;
  results.out = model(x, t, s, condition);
  // A loss per sample that is not a sum over tokens: its weight needs the whole clip.
  const Tensor error = results.out - test::values(x.shape(), 2);
  const Tensor mse = mean(error * error, {1, 2, 3, 4});
  backward(sum(mse * mse.detach()));
  results.out = results.out.detach();
  for (const auto& [name, parameter] : model.parameters()) {
    const Tensor grad = parameter.grad();
    results.gradients.emplace_back(
        name, grad.defined() ? grad : Tensor::zeros(parameter.shape(), DType::kF64));
  }
  return results;
}

/// The same on several ranks; gradients are added.
Results run_on(const Pass& pass, int count) {
  std::mutex mutex;
  std::vector<Results> of_rank(static_cast<std::size_t>(count));
  comm::run_ranks(
      count,
      [&](comm::Communicator& ranks) {
        Results results = run(pass, &ranks);
        const std::lock_guard lock(mutex);
        of_rank[static_cast<std::size_t>(ranks.rank())] = std::move(results);
      },
      std::chrono::seconds(60));
  Results all = of_rank[0];
  for (std::size_t r = 1; r < of_rank.size(); ++r) {
    BOOST_TEST((of_rank[r].out.to_vector<double>() == all.out.to_vector<double>()),
               pass.name << ": the ranks' outputs differ");
    for (std::size_t i = 0; i < all.gradients.size(); ++i)
      all.gradients[i].second = all.gradients[i].second + of_rank[r].gradients[i].second;
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_pass_equals_that_of_one_rank) {
  for (const Pass& pass : passes()) {
    const Results one = run(pass, nullptr);
    BOOST_TEST(test::largest(one.out) > 0.01);
    for (const int ranks : {2, 4}) {
      const Results all = run_on(pass, ranks);
      BOOST_TEST(test::distance(all.out, one.out) < 1e-11,
                 pass.name << ", " << ranks << " ranks: outputs differ by "
                           << test::distance(all.out, one.out));
      for (std::size_t i = 0; i < one.gradients.size(); ++i) {
        const auto& [name, expected] = one.gradients[i];
        const double error = test::distance(all.gradients[i].second, expected);
        BOOST_TEST(error < 1e-11 * (1 + test::largest(expected)),
                   pass.name << ", " << ranks << " ranks: gradients of " << name << " differ by "
                             << error);
      }
    }
  }
}

// The peak of the allocator while a step runs, less what weights and the clip itself take. Per token, a
// divided pass keeps a seventh more: shared keys, and joins of branches that one rank has in one op.
BOOST_AUTO_TEST_CASE(memory_per_rank_falls_as_the_number_of_ranks_grows) {
  DiTConfig config = small();
  config.frames = 16;
  config.height = config.width = 32;
  config.dim = 48;
  config.hidden = 96;
  config.middle = 2;
  const auto peak_on = [&](int count) {
    std::mutex mutex;
    std::size_t most = 0;
    comm::run_ranks(count, [&](comm::Communicator& ranks) {
      jit::Options options = jit::Options::from_environment();
      options.threads = 1;
      const DevicePtr device = make_device(options);
      const auto on_device = [&](const Tensor& t) {
        const Tensor own = Tensor::empty(t.shape(), DType::kF32, device);
        const std::vector<float> values = t.to_vector<float>();
        own.assign_bytes(std::as_bytes(std::span(values)));
        return own;
      };
      VideoDiT model(Scope({.seed = 1}, DType::kF32, device), config);
      model.divide_clips(&ranks);
      const Tensor x = on_device(test::values({1, 3, 16, 32, 32}, 1, 1, DType::kF32));
      const Tensor t = on_device(test::values({1}, 3, 0.2, DType::kF32) + 0.7);
      Condition condition;
      condition.labels = Tensor::from(std::vector<std::int64_t>{1}, {1}, device);
      std::size_t used = 0;
      for (int n = 0; n < 2; ++n) {  // the first pass creates gradients
        device->reset_peak();
        const std::size_t before = device->memory().in_use;
        const Tensor F = model(x, t, t * 0.5, condition);
        backward(sum(F * F));
        used = device->memory().peak_in_use - before;
      }
      const std::lock_guard lock(mutex);
      most = std::max(most, used);
    });
    return static_cast<double>(most);
  };
  const double one = peak_on(1);
  for (const int ranks : {2, 4, 8}) {
    const double share = peak_on(ranks) / one;
    BOOST_TEST_MESSAGE(ranks << " ranks: " << share << " of " << one / 1e6 << " MB");
    BOOST_TEST(share < 1.15 / ranks + 0.05, ranks << " ranks: " << share << " of one rank's peak");
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_divided_is_refused) {
  const auto error_of = [](const Pass& pass, int ranks) -> std::string {
    try {
      static_cast<void>(run_on(pass, ranks));
    } catch (const InvalidArgument& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto contains = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const std::string sla = error_of({"sla",
                                    [](DiTConfig* c) {
                                      c->attention = AttentionKind::kSla;
                                      c->sparse_block = 4;
                                    }},
                                   2);
  BOOST_TEST(contains(sla, "sana"), sla);
  const std::string ranks = error_of({"more ranks than pairs of frames"}, 5);
  BOOST_TEST(contains(ranks, "at most 4"), ranks);
  const std::string mix =
      error_of({"mix", [](DiTConfig* c) { c->feed_forward = FeedForwardKind::kMix; },
                [](Condition* c) { c->kept = half_of_boxes(); }},
               2);
  BOOST_TEST(contains(mix, "0.75"), mix);
  const std::string causal = error_of({"causal", [](DiTConfig* c) { c->chunk_frames = 1; },
                                       [](Condition* c) {
                                         c->clean = test::values({2, 3, 7, 4, 4}, 8);
                                       }},
                                      2);
  BOOST_TEST(contains(causal, "train.sequence = 1"), causal);
}

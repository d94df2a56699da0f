// Trainer: the effects of a step, and that state() and steps() suffice to resume.
#define BOOST_TEST_MODULE trainer
#include "eflow/trainer/step/trainer.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/linear.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// 64 clips of two numbers; clip i is (i, -i) / 64.
class Numbers final : public io::ClipSource {
 public:
  [[nodiscard]] std::int64_t size() const override { return 64; }
  [[nodiscard]] Shape clip_shape() const override { return {2, 1, 1, 1}; }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    clip[0] = static_cast<float>(index) / 64;
    clip[1] = -clip[0];
    return 0;
  }
};

/// A linear map that learns to double its input; from step `bad` on its loss is infinite.
struct Doubling {
  explicit Doubling(std::int64_t accumulation = 1, std::int64_t bad = 1 << 30,
                    std::int64_t skips = 0)
      : trainer(&model, &average,
                [this, bad](const soflow::Batch& part, std::int64_t step, std::int64_t total) {
                  const Tensor x = reshape(part.x0, {part.x0.size(0), 2});
                  const Tensor error = square(model(x) - x * 2);
                  const double scale = step >= bad ? std::numeric_limits<double>::infinity() : 1;
                  return soflow::StepLoss{sum(error) * (scale / static_cast<double>(total)), {}};
                },
                &source,
                {.batch = 8,
                 .accumulation = accumulation,
                 .seed = 3,
                 .learning_rate = {.peak = 0.02},
                 .clip = 0,
                 .skip_nonfinite = skips}) {}

  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> all;
    for (const auto& [name, tensor] : trainer.state()) {
      const auto values = tensor.to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  Numbers source;
  nn::Scope scope{RandomKey{.seed = 5, .purpose = nn::kInitPurpose}};
  nn::Linear model{scope, 2, 2}, average{scope, 2, 2};
  Trainer trainer;
};

/// Takes a while to read a clip, and notes whether what the trainer holds is destroyed meanwhile.
class SlowNumbers final : public io::ClipSource {
 public:
  [[nodiscard]] std::int64_t size() const override { return numbers_.size(); }
  [[nodiscard]] Shape clip_shape() const override { return numbers_.clip_shape(); }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (held.expired()) read_too_late = true;
    return numbers_.read(index, clip);
  }
  std::weak_ptr<int> held;
  mutable std::atomic<bool> read_too_late = false;

 private:
  Numbers numbers_;
};

}  // namespace

/// The readers ask the trainer which clips come next, so they end before anything that it holds.
BOOST_AUTO_TEST_CASE(readers_end_before_what_they_use) {
  SlowNumbers source;
  const nn::Scope scope{RandomKey{.seed = 5, .purpose = nn::kInitPurpose}};
  nn::Linear model{scope, 2, 2}, average{scope, 2, 2};
  const auto loss = [&](const soflow::Batch& part, std::int64_t, std::int64_t) {
    return soflow::StepLoss{sum(square(model(reshape(part.x0, {part.x0.size(0), 2})))), {}};
  };
  auto token = std::make_shared<int>();
  source.held = token;
  {
    Trainer trainer(&model, &average, loss, &source, {.batch = 1, .seed = 3});
    trainer.before_losses([token](const std::vector<soflow::Batch>&, std::int64_t) {});
    token.reset();
    (void)trainer.step();
  }  // while clips are read ahead
  BOOST_TEST(source.held.expired());
  BOOST_TEST(!source.read_too_late.load());
}

BOOST_AUTO_TEST_CASE(a_step_learns_and_reports) {
  Doubling run;
  const StepMetrics first = run.trainer.step();
  BOOST_TEST(first.step == 1);
  BOOST_TEST(first.lr == 0.02);
  BOOST_TEST(first.grad_norm > 0);
  BOOST_TEST(first.step_s > 0);
  BOOST_TEST(first.ids_hash.size() == 16u);
  StepMetrics last;
  for (int i = 0; i < 300; ++i) last = run.trainer.step();
  BOOST_TEST(last.step == 301);
  BOOST_TEST(last.loss < 0.05 * first.loss);
}

BOOST_AUTO_TEST_CASE(state_and_step_suffice_to_resume) {
  Doubling whole, first, second;
  for (int i = 0; i < 10; ++i) (void)whole.trainer.step();
  for (int i = 0; i < 4; ++i) (void)first.trainer.step();
  second.trainer.load_state(first.trainer.state(), first.trainer.steps());
  StepMetrics last;
  for (int i = 0; i < 6; ++i) last = second.trainer.step();
  BOOST_TEST(last.step == 10);
  BOOST_TEST(whole.values() == second.values(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(accumulation_sees_the_same_clips_and_nearly_the_same_gradient) {
  Doubling one(1), four(4);
  for (int i = 0; i < 3; ++i) {
    const StepMetrics a = one.trainer.step(), b = four.trainer.step();
    BOOST_TEST(a.ids_hash == b.ids_hash);
    BOOST_TEST(a.loss == b.loss, boost::test_tools::tolerance(1e-5));
    BOOST_TEST(a.grad_norm == b.grad_norm, boost::test_tools::tolerance(1e-5));
  }
}

/// before_losses() sees the clips of the whole step, and changes neither order nor result.
BOOST_AUTO_TEST_CASE(micro_batches_are_known_before_the_first_loss) {
  Doubling plain(4), watched(4);
  std::vector<std::int64_t> indices, steps;
  watched.trainer.before_losses([&](const std::vector<soflow::Batch>& parts, std::int64_t step) {
    steps.push_back(step);
    for (const soflow::Batch& part : parts)
      indices.insert(indices.end(), part.indices.begin(), part.indices.end());
  });
  for (int i = 0; i < 2; ++i) {
    const StepMetrics a = plain.trainer.step(), b = watched.trainer.step();
    BOOST_TEST(a.ids_hash == b.ids_hash);
    BOOST_TEST(a.loss == b.loss);
  }
  BOOST_TEST((steps == std::vector<std::int64_t>{0, 1}));
  std::vector<std::int64_t> expected(16);
  std::iota(expected.begin(), expected.end(), 0);
  BOOST_TEST(indices == expected, boost::test_tools::per_element());
  BOOST_TEST(plain.values() == watched.values(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_loss_that_is_not_finite_changes_nothing) {
  Doubling run(2, 3);
  for (int i = 0; i < 3; ++i) (void)run.trainer.step();
  const auto before = run.values();
  try {
    (void)run.trainer.step();
    BOOST_ERROR("the step was taken");
  } catch (const NumericError& error) {
    const std::string text = error.what();
    BOOST_TEST(text.find("step 4") != std::string::npos, text);
    BOOST_TEST(text.find("clips of the batch: ") != std::string::npos, text);
  }
  BOOST_TEST(run.trainer.steps() == 3);
  BOOST_TEST(run.values() == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_skipped_step_counts_but_changes_nothing) {
  Doubling run(2, 3, 2);
  for (int i = 0; i < 3; ++i) (void)run.trainer.step();
  const auto before = run.values();
  for (const std::int64_t skipped : {1, 2}) {
    const StepMetrics m = run.trainer.step();
    BOOST_TEST(m.step == 3 + skipped);
    BOOST_TEST(m.skipped == skipped);
    BOOST_TEST(!run.trainer.outcome().is_finite());
  }
  BOOST_CHECK_THROW(run.trainer.step(), NumericError);
  BOOST_TEST(run.trainer.steps() == 5);
  BOOST_TEST(run.trainer.skipped() == 2);
  BOOST_TEST(run.values() == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_clips_of_a_step_are_known) {
  Doubling run;
  for (std::int64_t step = 0; step < 3; ++step) {
    std::vector<std::int64_t> ids;
    for (const StepClip& clip : run.trainer.clips_of(step)) ids.push_back(clip.index);
    BOOST_TEST(run.trainer.step().ids_hash == to_hex(hash64(std::as_bytes(std::span(ids)))));
  }
}

BOOST_AUTO_TEST_CASE(the_state_of_another_model_is_refused_unchanged) {
  Doubling run;
  const auto before = run.values();
  nn::NamedTensors state = run.trainer.state();
  state.front().second = Tensor::zeros({3, 3});
  BOOST_CHECK_THROW(run.trainer.load_state(state, 1), InvalidArgument);
  state.pop_back();
  BOOST_CHECK_THROW(run.trainer.load_state(state, 1), InvalidArgument);
  BOOST_TEST(run.values() == before, boost::test_tools::per_element());
  BOOST_TEST(run.trainer.steps() == 0);
}

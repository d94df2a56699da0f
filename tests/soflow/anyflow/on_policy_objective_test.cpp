// The losses of on-policy distillation against their building blocks.
#define BOOST_TEST_MODULE on_policy_objective
#include "eflow/soflow/anyflow/on_policy_objective.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/losses.hpp"
#include "eflow/soflow/objective/times.hpp"
#include "eflow/tests/soflow/gaussian_flow.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::soflow {
namespace {

Batch batch_of(std::int64_t first, std::int64_t count, std::int64_t width = 6) {
  Batch batch;
  batch.x0 = test::values({count, width}, 5);
  batch.indices.resize(static_cast<std::size_t>(count));
  std::iota(batch.indices.begin(), batch.indices.end(), first);
  return batch;
}

/// F(x, t, s) = a x: a network with one weight.
Network scaled(const Tensor& a) {
  return [a](const Tensor& x, const Tensor&, const Tensor&, const nn::Condition&) { return x * a; };
}

const OnPolicyObjective kObjective({.rollouts = {2, 4}, .seed = 3});

BOOST_AUTO_TEST_CASE(equal_scores_give_no_gradient) {
  const test::GaussianFlow flow(6);
  const Tensor a = Tensor::full({1, 1}, 0.2, DType::kF64);
  a.set_requires_grad();
  const RollOut roll = simulated_rollout(scaled(a), kObjective.options());
  const StepLoss loss =
      kObjective.student(roll, {flow.network(), flow.network()}, batch_of(0, 4), 0);
  backward(loss.total);
  BOOST_TEST(loss.total.item() == 0);
  BOOST_TEST(a.grad().item() == 0);
  BOOST_TEST((loss.samples()[2].group == LossGroup::kDistributionMatching));
}

BOOST_AUTO_TEST_CASE(parts_of_a_batch_add_up_to_the_whole) {
  const test::GaussianFlow flow(6);
  const Tensor a = Tensor::full({1, 1}, 0.2, DType::kF64);
  const RollOut roll = simulated_rollout(scaled(a), kObjective.options());
  const Scores scores{scaled(a), flow.network()};
  const Batch whole = batch_of(8, 4);
  for (const auto loss : {&OnPolicyObjective::student, &OnPolicyObjective::fake}) {
    const double all = (kObjective.*loss)(roll, scores, whole, 7, 0).total.item();
    double parts = 0;
    for (const std::vector<std::int64_t>& rows : {std::vector<std::int64_t>{0, 3}, {1, 2}})
      parts += (kObjective.*loss)(roll, scores, whole.rows(rows), 7, 4).total.item();
    BOOST_TEST(std::abs(all - parts) < 1e-12);
    BOOST_TEST((kObjective.*loss)(roll, scores, whole, 8, 0).total.item() != all);
  }
}

BOOST_AUTO_TEST_CASE(the_fake_score_learns_the_velocity_of_a_rollout) {
  const Tensor a = Tensor::full({1, 1}, 0.3, DType::kF64),
               b = Tensor::full({1, 1}, 0.1, DType::kF64);
  b.set_requires_grad();
  const RollOut roll = simulated_rollout(scaled(a), kObjective.options());
  const Batch batch = batch_of(0, 3);
  const auto loss = [&] { return kObjective.fake(roll, {scaled(b), {}}, batch, 2).total; };
  const auto worst = test::worst_gradient({{"b", b}}, loss);
  BOOST_TEST(worst.relative() < 1e-6);
}

/// The student's gradient is that of matching_loss on its own rollout.
BOOST_AUTO_TEST_CASE(the_student_follows_the_matching_gradient) {
  const test::GaussianFlow flow(6);
  const Tensor a = Tensor::full({1, 1}, 0.3, DType::kF64);
  a.set_requires_grad();
  const auto& options = kObjective.options();
  const RollOut roll = simulated_rollout(scaled(a), options);
  const Scores scores{scaled(Tensor::full({1, 1}, 0.9, DType::kF64)), flow.network()};
  const Batch batch = batch_of(0, 3);
  backward(kObjective.student(roll, scores, batch, 4).total);
  const Tensor found = a.grad();
  a.clear_grad();

  Tensor rolled_out;
  const RollOut recording = [&](const Tensor& x1, const RandomKey& key, const nn::Condition& c) {
    return rolled_out = roll(x1, key, c);
  };
  Tensor x_t, seen;
  PerSample t;
  const Scores watched{
      [&](const Tensor& x, const Tensor& time, const Tensor& s, const nn::Condition& c) {
        seen = x;
        t = time.to_vector<double>();
        return scores.fake(x, time, s, c);
      },
      scores.teacher};
  static_cast<void>(kObjective.student(recording, watched, batch, 4));
  const Tensor g = matching_gradient(rolled_out, data_of(scores.fake, seen, t, {}),
                                     data_of(scores.teacher, seen, t, {}));
  backward(matching_loss(rolled_out, g));
  BOOST_TEST(test::distance(found, a.grad()) < 1e-12);
}

}  // namespace
}  // namespace eflow::soflow

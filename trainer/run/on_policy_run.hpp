#pragma once
// OnPolicyRun: AnyFlow's second stage inside a training run. Holds the teacher and the learned
// score of the student's samples, computes the student's loss, and trains the score after each
// step.

#include <optional>

#include "eflow/nn/optim/adamw.hpp"
#include "eflow/nn/optim/schedule.hpp"
#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/soflow/anyflow/on_policy_objective.hpp"
#include "eflow/soflow/exact/exact_flow.hpp"
#include "eflow/trainer/ranks/gradient_sum.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/step/second_learner.hpp"

namespace eflow::trainer {

class OnPolicyRun final : public SecondLearner {
 public:
  /// `student` and `ranks`, which share the work, must outlive this object. The score starts as a
  /// copy of the teacher; if the teacher is exact (anyflow.teacher = exact), begin() makes it a
  /// copy of the student. Throws CheckpointError if the teacher is missing or was trained on clips
  /// of another format.
  OnPolicyRun(const Config& config, const DataInfo& data, const nn::VideoDiT* student,
              comm::Communicator* ranks);

  /// The teacher's weights, or nothing if the teacher is exact.
  [[nodiscard]] std::optional<WeightsOrigin> teacher() const { return teacher_origin_; }
  /// Call once the student has its initial weights: copies them into the score if that starts from
  /// the student.
  void begin();
  /// Call before the losses of a step that has several micro-batches: measures the level of the
  /// first stage's loss over all of them (soflow::AnyFlowObjective::level()).
  void measure_level(const std::vector<soflow::Batch>& parts, std::int64_t step);
  /// The student's loss: distribution matching and, with anyflow.cotrain, the first stage's loss on
  /// the clips. Arguments as for Objective.
  [[nodiscard]] soflow::StepLoss loss(const soflow::Batch& part, std::int64_t step,
                                      std::int64_t batch_total) const;

  double step(const std::vector<soflow::Batch>& parts, std::int64_t step) override;
  [[nodiscard]] nn::NamedTensors state() const override;
  void go_on_after(std::int64_t steps) override { optimizer_->set_steps(steps); }

 private:
  [[nodiscard]] soflow::Network teacher_network(const Config& config);

  const nn::VideoDiT* student_;
  std::optional<WeightsOrigin> teacher_origin_;
  std::optional<Generator> teacher_;  // exactly one of these two is set
  std::optional<soflow::ExactFlow> exact_;
  std::unique_ptr<nn::VideoDiT> fake_;  // the learned score
  std::optional<nn::AdamW> optimizer_;
  comm::Communicator* ranks_;
  std::optional<GradientSum> gradients_;  // of the score, which all ranks update alike
  std::int64_t shards_, accumulation_;
  nn::LearningRate learning_rate_;
  double clip_;
  std::int64_t batch_;
  bool cotrain_;
  soflow::AnyFlowObjective forward_;
  std::optional<double> level_;  // of forward_, in this step
  soflow::OnPolicyObjective objective_;
  soflow::RollOut roll_out_;
  soflow::Scores scores_;
};

}  // namespace eflow::trainer

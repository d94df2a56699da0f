#pragma once
// AnyFlow's second stage as a run has it: the teacher and the learned score of the student's samples
// beside the student, whose own loss they make.

#include <optional>

#include "eflow/nn/adamw.hpp"
#include "eflow/nn/schedule.hpp"
#include "eflow/soflow/anyflow.hpp"
#include "eflow/soflow/exact_flow.hpp"
#include "eflow/soflow/on_policy_objective.hpp"
#include "eflow/trainer/companion.hpp"
#include "eflow/trainer/generator.hpp"

namespace eflow::trainer {

class OnPolicyRun final : public Companion {
 public:
  /// `student` must outlive it. The score starts as a copy of the teacher; with an exact teacher
  /// (anyflow.teacher = exact), of the student, once begin() is called. Throws CheckpointError for a
  /// teacher of other clips.
  OnPolicyRun(const Config& config, const DataInfo& data, const nn::VideoDiT* student);

  /// Copies the student's first weights where the score starts with them.
  void begin();
  /// The student's loss: matching, and with anyflow.cotrain the first stage's on the clips.
  [[nodiscard]] soflow::StepLoss loss(const soflow::Batch& part, std::int64_t step,
                                      std::int64_t batch_total) const;

  double step(const std::vector<soflow::Batch>& parts, std::int64_t step) override;
  [[nodiscard]] nn::NamedTensors state() const override;
  void go_on_after(std::int64_t steps) override { optimizer_->set_steps(steps); }

 private:
  [[nodiscard]] soflow::Network teacher_network(const Config& config);

  const nn::VideoDiT* student_;
  std::optional<Generator> teacher_;
  std::optional<soflow::ExactFlow> exact_;
  std::unique_ptr<nn::VideoDiT> fake_;
  std::optional<nn::AdamW> optimizer_;
  nn::LearningRate learning_rate_;
  double clip_;
  std::int64_t batch_;
  bool cotrain_;
  soflow::AnyFlowObjective forward_;
  soflow::OnPolicyObjective objective_;
  soflow::RollOut roll_out_;
  soflow::Scores scores_;
};

}  // namespace eflow::trainer

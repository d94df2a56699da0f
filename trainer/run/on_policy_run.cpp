#include "eflow/trainer/run/on_policy_run.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/nn/optim/grad_clip.hpp"
#include "eflow/soflow/sampling/sampler.hpp"
#include "eflow/soflow/sampling/stream_sampler.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/exact_source.hpp"
#include "eflow/trainer/ranks/shared_level.hpp"
#include "eflow/trainer/ranks/step_report.hpp"
#include "eflow/trainer/setup/objective_config.hpp"

namespace eflow::trainer {
namespace {

soflow::OnPolicyOptions on_policy_options(const Config& config, const nn::DiTConfig& network) {
  return {.rollouts = parse_rollouts(config.anyflow.rollouts),
          .shift = config.objective.t.shift,
          .given = given_frames(config, network),
          .seed = config.train.seed};
}

void require_same_clips(const Generator& teacher, const DataInfo& data) {
  const ClipFormat &theirs = teacher.info().data.clips, &ours = data.clips;
  if (theirs.shape() == ours.shape() && theirs.classes == ours.classes &&
      theirs.context_dim == ours.context_dim)
    return;
  throw CheckpointError(str("anyflow.teacher: expected a model of clips ", ours.shape(), " with ",
                            ours.classes, " classes; found ", theirs.shape(), " with ",
                            theirs.classes));
}

/// A network at guidance scale w if it takes one as an input, otherwise the network.
soflow::Network at_scale(const nn::VideoDiT& model, double w) {
  const soflow::Network network = std::cref(model);
  if (!model.config().guidance_embedding) return network;
  return [network, w](const Tensor& x, const Tensor& t, const Tensor& s, nn::Condition c) {
    c.guidance = Tensor::full({x.size(0)}, w, x.dtype(), x.device());
    return network(x, t, s, c);
  };
}

/// The teacher's network at guidance scale w: passed as an input if the network takes one,
/// otherwise applied with a second, unconditioned evaluation.
soflow::Network guided_teacher(const Generator& teacher, double w) {
  const nn::VideoDiT& model = teacher.model();
  const soflow::Network network = at_scale(model, w);
  if (model.config().guidance_embedding) return network;
  const bool conditional = model.config().classes > 0 || model.config().context_dim > 0;
  if (w == 1 || !conditional) return network;
  return soflow::guided(network, w, teacher.info().config.guidance.kind, model.config().classes);
}

}  // namespace

OnPolicyRun::OnPolicyRun(const Config& config, const DataInfo& data, const nn::VideoDiT* student,
                         comm::Communicator* ranks)
    : student_(student),
      ranks_(ranks),
      shards_(config.train.shards),
      accumulation_(config.train.accumulation),
      learning_rate_(trainer_options(config).learning_rate),
      clip_(config.optim.clip),
      batch_(config.train.batch),
      cotrain_(config.anyflow.cotrain),
      forward_(anyflow_options(config, student->config())),
      objective_(on_policy_options(config, student->config())),
      roll_out_(is_causal(config)
                    ? soflow::simulated_stream(*student, objective_.options())
                    : soflow::simulated_rollout(std::cref(*student), objective_.options())) {
  if (config.anyflow.score_lr > 0) learning_rate_.peak = config.anyflow.score_lr;
  scores_.teacher = teacher_network(config);
  fake_ = make_model(teacher_ ? teacher_->info().config : config, data.clips);
  if (teacher_) {
    require_same_clips(*teacher_, data);
    fake_->load_state(teacher_->model().state());
  }
  // Its embedding of the scale was trained at the teacher's scales, not at the null scale.
  scores_.fake = at_scale(*fake_, config.anyflow.teacher_guidance);
  optimizer_.emplace(fake_->parameters(), trainer_options(config).adamw);
  gradients_.emplace(fake_->parameters(), ShardDivision{ranks_, shards_, 1});
}

soflow::Network OnPolicyRun::teacher_network(const Config& config) {
  if (config.anyflow.teacher == "exact") {
    exact_.emplace(config.data.exact.flow);
    return exact_->network();
  }
  teacher_.emplace(Generator::load(config.anyflow.teacher));
  teacher_origin_ =
      WeightsOrigin{config.anyflow.teacher, teacher_->info().step, teacher_->info().digest};
  return guided_teacher(*teacher_, config.anyflow.teacher_guidance);
}

void OnPolicyRun::begin() {
  if (!teacher_) fake_->load_state(student_->state());
}

void OnPolicyRun::measure_level(const std::vector<soflow::Batch>& parts, std::int64_t step) {
  if (!cotrain_) return;
  const auto level_of = [&](const std::vector<soflow::Batch>& some) {
    return forward_.level(std::cref(*student_), some, step);
  };
  level_ = shards_ == 1 ? level_of(parts) : shared_level(parts, level_of, ranks_, step);
}

soflow::StepLoss OnPolicyRun::loss(const soflow::Batch& part, std::int64_t step,
                                   std::int64_t batch_total) const {
  soflow::StepLoss all = objective_.student(roll_out_, scores_, part, step, batch_total);
  if (!cotrain_) return all;
  const soflow::StepLoss forward = forward_(std::cref(*student_), part, step, batch_total, level_);
  all.total = all.total + forward.total;
  all.unread.insert(all.unread.end(), forward.unread.begin(), forward.unread.end());
  all.records.insert(all.records.end(), forward.records.begin(), forward.records.end());
  return all;
}

double OnPolicyRun::step(const std::vector<soflow::Batch>& parts, std::int64_t step) {
  fake_->clear_gradients();
  StepReport report;
  const auto per_shard = static_cast<std::size_t>(accumulation_);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const soflow::StepLoss loss = objective_.fake(roll_out_, scores_, parts[i], step, batch_);
    if (i % per_shard == 0) report.losses.push_back(0);
    report.losses.back() += loss.total.item();
    const auto shard = gradients_->shards().first + static_cast<std::int64_t>(i / per_shard);
    if ((i + 1) % per_shard != 0)
      backward(loss.total);
    else
      gradients_->backward_and_take(loss.total, shard, step + 1);
  }
  const double error = merged(report, ranks_, step + 1).loss();
  gradients_->finish_everywhere(step + 1);
  const double norm = nn::gradient_norm(fake_->parameters());
  if (!std::isfinite(error) || !std::isfinite(norm)) {
    throw NumericError(
        str("[train] step ", step + 1, ": learned score: error ", error, ", gradient norm ", norm));
  }
  optimizer_->step(learning_rate_.at(step), nn::clip_factor(norm, clip_));
  fake_->clear_gradients();
  return error;
}

nn::NamedTensors OnPolicyRun::state() const {
  nn::NamedTensors all;
  for (const auto& [name, tensor] : fake_->state()) all.emplace_back("fake." + name, tensor);
  for (const auto& [name, tensor] : optimizer_->state())
    all.emplace_back("fake_adamw." + name, tensor);
  return all;
}

}  // namespace eflow::trainer

#include "eflow/trainer/step/trainer.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/trace_range.hpp"
#include "eflow/trainer/data/data_sets.hpp"

namespace eflow::trainer {
namespace {

void append(const std::string& prefix, const nn::NamedTensors& from, nn::NamedTensors* to) {
  for (const auto& [name, tensor] : from) to->emplace_back(prefix + name, tensor);
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<double> shares_of(const std::vector<StepShare>& others) {
  std::vector<double> shares;
  for (const StepShare& other : others) shares.push_back(other.share);
  return shares;
}

/// Runs f() as a named range of the default device's trace.
template <class F>
auto ranged(const char* name, F&& f) {
  const TraceRange range(*default_device(), name);
  return f();
}

/// Hash of a step's clip ids, in order: 16 hexadecimal digits.
std::string hash_of_ids(const std::vector<std::int64_t>& ids) {
  return to_hex(hash64(std::as_bytes(std::span(ids))));
}

std::string list_of(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) text += str(text.empty() ? "" : ", ", value);
  return text;
}

/// Copies tensors by name. Throws InvalidArgument listing every mismatch before it changes
/// anything.
void assign_all(const nn::NamedTensors& targets, const nn::NamedTensors& sources) {
  std::map<std::string, Tensor> by_name(sources.begin(), sources.end());
  std::string problems;
  for (const auto& [name, target] : targets) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      problems += str("\n  ", name, ": missing");
    } else if (found->second.shape() != target.shape()) {
      problems +=
          str("\n  ", name, ": expected ", target.shape(), ", found ", found->second.shape());
    }
  }
  if (sources.size() > targets.size())
    problems += str("\n  ", sources.size() - targets.size(), " surplus names");
  if (!problems.empty())
    throw InvalidArgument("[trainer] the state belongs to another model:" + problems);
  for (const auto& [name, target] : targets) Tensor(target).assign(by_name.at(name));
}

}  // namespace

Trainer::Trainer(nn::Module* model, nn::Module* average, Objective objective,
                 const io::ClipSource* source, const TrainerOptions& options)
    : model_(model),
      average_(average),
      objective_(std::move(objective)),
      options_(options),
      source_schedule_(shares_of(options.others)),
      optimizer_(model->parameters(), options.adamw),
      ema_(average->parameters(), model->parameters(), options.ema),
      update_(&optimizer_, &ema_) {
  if (options.accumulation < 1 || options.batch % options.accumulation != 0) {
    throw InvalidArgument(str("[trainer] accumulation: expected a divisor of the batch size ",
                              options.batch, ", found ", options.accumulation));
  }
  streams_.push_back({source, nullptr, {}});
  for (const StepShare& other : options.others) streams_.push_back({other.source, nullptr, {}});
}

soflow::Batch Trainer::next_part(std::int64_t i) {
  const std::size_t turn = source_schedule_.at(step_);
  auto& [source, loader, null_context] = streams_[turn];
  if (!loader) {
    null_context = read_null_context(*source);
    const io::LoaderOptions reading{
        .batch_size = options_.batch / options_.accumulation,
        .first_step = source_schedule_.before(turn, step_) * options_.accumulation};
    loader = std::make_unique<io::Loader>(*source, io::SampleOrder(source->size(), options_.seed),
                                          reading);
  }
  const io::Batch host = loader->next();
  const auto count = static_cast<std::int64_t>(host.ids.size());
  clip_shape_ = source->clip_shape();
  soflow::Batch part;
  part.x0 = Tensor::from(host.clips, host.shape);
  if (source->class_count() > 0) part.labels.assign(host.labels.begin(), host.labels.end());
  if (!host.context.empty()) part.context = Tensor::from(host.context, host.context_shape);
  part.null_context = null_context;
  const std::int64_t first = step_ * options_.batch + i * count;
  for (std::int64_t k = 0; k < count; ++k) part.indices.push_back(first + k);
  ids_.insert(ids_.end(), host.ids.begin(), host.ids.end());
  return part;
}

StepMetrics Trainer::step() {
  Stopwatch whole, watch;
  StepMetrics m;
  GatheredWork gathered(default_device());
  Tensor loss_sum = Tensor::zeros({1}, DType::kF64);
  std::vector<soflow::SampleRecord> samples;
  std::vector<soflow::Batch> parts;
  ids_.clear();
  times_ = {};
  model_->clear_gradients();
  if (start_) {
    for (std::int64_t i = 0; i < options_.accumulation; ++i) parts.push_back(next_part(i));
    times_.data_wait += watch.lap();
    ranged("start", [&] { start_(parts, step_); });
    times_.forward += watch.lap();
  }
  for (std::int64_t i = 0; i < options_.accumulation; ++i) {
    if (!start_) parts.push_back(next_part(i));  // x0, c
    const soflow::Batch& part = start_ ? parts[static_cast<std::size_t>(i)] : parts.back();
    times_.data_wait += watch.lap();
    const soflow::StepLoss loss = ranged("forward", [&] {
      return objective_(part, step_, options_.batch);  // L = L_FM + L_SCM
    });
    loss_sum = loss_sum + reshape(cast(loss.total.detach(), DType::kF64), {1});
    times_.forward += watch.lap();
    ranged("backward", [&] { backward(loss.total); });  // accumulates dL/dtheta
    times_.backward += watch.lap();
    samples.insert(samples.end(), loss.samples.begin(), loss.samples.end());
    if (!second_learner_ && !start_) parts.clear();
  }
  m.lr = options_.learning_rate.at(step_);
  const Tensor squares = update_.squared_norm();
  whole_ = false;
  // theta and its average. A norm that is not finite makes the device skip the update; adding
  // loss_sum * 0 extends that to the loss. The host reads both only below.
  update_.apply(m.lr, options_.clip, squares + loss_sum * 0);
  m.loss = loss_sum.item();
  m.grad_norm = std::sqrt(squares.item());
  require_finite(m, samples);
  model_->clear_gradients();
  m.fake_mse = second_learner_ ? second_learner_->step(parts, step_) : kNone;
  gathered.finish();
  times_.optimizer = watch.lap();
  m.step = ++step_;
  whole_ = true;
  record(samples, &m);
  m.data_wait_s = times_.data_wait;
  m.step_s = whole.lap();
  m.samples_per_s = static_cast<double>(options_.batch) / m.step_s;
  return m;
}

void Trainer::record(const std::vector<soflow::SampleRecord>& samples, StepMetrics* m) const {
  m->loss_fm = mean_loss(samples, soflow::LossGroup::kFlowMatching);
  m->fm_mse = mean_mse(samples, soflow::LossGroup::kFlowMatching);
  m->loss_scm = mean_loss(samples, soflow::LossGroup::kSolutionConsistency);
  m->scm_mse = mean_mse(samples, soflow::LossGroup::kSolutionConsistency);
  m->loss_mva = mean_loss(samples, soflow::LossGroup::kMeanVelocityAdditivity);
  m->mva_mse = mean_mse(samples, soflow::LossGroup::kMeanVelocityAdditivity);
  m->weak_mse = mean_mse(samples, soflow::LossGroup::kWeakPath);
  m->matching_mse = mean_mse(samples, soflow::LossGroup::kDistributionMatching);
  m->scm_drift = soflow::drift_ratio(samples);
  m->ids_hash = hash_of_ids(ids_);
}

void Trainer::require_finite(const StepMetrics& metrics,
                             const std::vector<soflow::SampleRecord>& samples) {
  if (std::isfinite(metrics.loss) && std::isfinite(metrics.grad_norm)) return;
  optimizer_.set_steps(step_);
  ema_.set_updates(step_);
  whole_ = true;
  std::vector<std::int64_t> culprits;
  for (const auto& sample : samples) {
    if (!std::isfinite(sample.loss)) {
      culprits.push_back(ids_.at(static_cast<std::size_t>(sample.index - step_ * options_.batch)));
    }
  }
  throw NumericError(str("[train] step ", step_ + 1, ": loss ", metrics.loss, ", gradient norm ",
                         metrics.grad_norm, "; clips of the batch: ", list_of(ids_),
                         culprits.empty() ? "" : "; not finite for clips: ", list_of(culprits),
                         "; weights and optimizer state remain those of step ", step_));
}

nn::NamedTensors Trainer::state() const {
  nn::NamedTensors all;
  append("model.", model_->state(), &all);
  append("ema.", average_->state(), &all);
  append("adamw.", optimizer_.state(), &all);
  if (second_learner_) append("", second_learner_->state(), &all);
  return all;
}

void Trainer::load_state(const nn::NamedTensors& state, std::int64_t steps) {
  assign_all(this->state(), state);
  step_ = steps;
  whole_ = true;
  optimizer_.set_steps(steps);
  ema_.set_updates(steps);
  if (second_learner_) second_learner_->go_on_after(steps);
  for (Stream& stream : streams_) stream.loader.reset();
}

}  // namespace eflow::trainer

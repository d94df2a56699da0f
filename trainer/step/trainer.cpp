#include "eflow/trainer/step/trainer.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/trace_range.hpp"
#include "eflow/trainer/ranks/gradient_sum.hpp"
#include "eflow/trainer/ranks/slice_gather.hpp"
#include "eflow/trainer/ranks/state_part.hpp"
#include "eflow/trainer/ranks/step_report.hpp"
#include "eflow/trainer/step/step_clips.hpp"
#include "eflow/trainer/step/trainer_state.hpp"

namespace eflow::trainer {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Waits for the device.
std::vector<soflow::SampleRecord> read(const std::vector<soflow::StepLoss>& losses) {
  std::vector<soflow::SampleRecord> all;
  for (const soflow::StepLoss& loss : losses) {
    const std::vector<soflow::SampleRecord> some = loss.samples();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
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

/// The number of shards and the ranks that `options` mean, checked.
TrainerOptions checked(TrainerOptions options, int ranks) {
  if (options.sequence < 1 || ranks % options.sequence != 0) {
    throw InvalidArgument(str("[trainer] sequence: expected a divisor of the number of ranks, ",
                              ranks, ", found ", options.sequence));
  }
  if (options.shards == 0) options.shards = ranks / options.sequence;
  if (options.shards < 1 || options.batch % options.shards != 0) {
    throw InvalidArgument(str("[trainer] shards: expected a divisor of the batch size ",
                              options.batch, ", found ", options.shards));
  }
  const std::int64_t share = options.batch / options.shards;
  if (options.accumulation < 1 || share % options.accumulation != 0) {
    throw InvalidArgument(str("[trainer] accumulation: expected a divisor of the ",
                              options.shards == 1 ? "batch size " : "clips of a shard, ", share,
                              ", found ", options.accumulation));
  }
  return options;
}

}  // namespace

struct Trainer::Work {
  std::vector<Tensor> losses;            ///< of the shards
  std::vector<soflow::StepLoss> unread;  ///< of the micro-batches
  std::vector<soflow::Batch> parts;      ///< of all micro-batches, for those who need them all
};

struct Trainer::Division {
  Division(const TrainerOptions& options, const nn::NamedTensors& parameters,
           const nn::NamedTensors& averages)
      : ranks(options.ranks != nullptr ? options.ranks : &alone),
        gradients(parameters, {ranks, options.shards, options.sequence},
                  options.slice > 0 ? options.slice : FlatLayout::kOneBucket),
        own_averages(own_part(gradients.layout(), averages, ranks->rank())) {
    if (ranks->size() == 1) return;
    // Of a divided average, Ema knows this rank's part only.
    for (std::size_t i = 0; i < averages.size(); ++i) {
      averages[i].second.set_requires_grad(false);
      note_use(averages[i].second, MemoryUse::kAverages);
      averages[i].second.assign(parameters[i].second);
    }
  }

  comm::Communicator alone;
  comm::Communicator* ranks;
  GradientSum gradients;
  nn::NamedTensors own_averages;
};

Trainer::Trainer(nn::Module* model, nn::Module* average, Objective objective,
                 const io::ClipSource* source, const TrainerOptions& options)
    : model_(model),
      average_(average),
      objective_(std::move(objective)),
      options_(checked(options, options.ranks != nullptr ? options.ranks->size() : 1)),
      division_(std::make_unique<Division>(options_, model->parameters(), average->parameters())),
      clips_(std::make_unique<StepClips>(source, options_, division_->gradients.shards())),
      optimizer_(division_->gradients.own(), options.adamw),
      ema_(division_->own_averages, division_->gradients.own(), options.ema),
      update_(&optimizer_, &ema_) {}

Trainer::~Trainer() {
  clips_.reset();  // the readers of clips end before anything else is gone
}

std::int64_t Trainer::own_parts() const {
  return clips_->units();
}

std::vector<StepClip> Trainer::clips_of(std::int64_t step) const {
  return clips_->of_step(step);
}

std::vector<std::pair<Shape, std::int64_t>> Trainer::last_clips() const {
  if (step_ == 0) return {};
  return clips_->shapes_of(step_ - 1);
}

StepMetrics Trainer::step() {
  Stopwatch whole, watch;
  StepMetrics m;
  GatheredWork gathered(default_device());
  const comm::Communicator& ranks = *division_->ranks;
  const double waited = ranks.waited_seconds(), hidden = ranks.hidden_seconds();
  ids_.clear();
  times_ = {};
  model_->clear_gradients();
  Work work = add_gradients(&watch);
  update(&work, &m);
  gathered.finish();
  times_.optimizer = watch.lap();
  m.step = ++step_;
  m.skipped = skipped_;
  whole_ = true;
  record(outcome_.samples, &m);
  m.data_wait_s = times_.data_wait;
  if (ranks.size() > 1) {
    m.comm_s = ranks.waited_seconds() - waited;
    m.comm_hidden_s = ranks.hidden_seconds() - hidden;
  }
  m.step_s = whole.lap();
  m.samples_per_s = static_cast<double>(options_.batch) / m.step_s;
  return m;
}

Trainer::Work Trainer::add_gradients(Stopwatch* watch) {
  Work work;
  GradientSum& gradients = division_->gradients;
  std::vector<std::vector<soflow::Batch>> units;  // of this rank, if a hook needs all at once
  if (start_) {
    for (std::int64_t i = 0; i < own_parts(); ++i) {
      units.push_back(clips_->next(step_, i, &ids_));
      work.parts.insert(work.parts.end(), units.back().begin(), units.back().end());
    }
    times_.data_wait += watch->lap();
    ranged("start", [&] { start_(work.parts, step_); });
    times_.forward += watch->lap();
  }
  for (std::int64_t i = 0; i < own_parts(); ++i) {
    const auto unit =
        start_ ? units[static_cast<std::size_t>(i)] : clips_->next(step_, i, &ids_);  // x0, c
    times_.data_wait += watch->lap();
    if (i % options_.accumulation == 0) work.losses.push_back(Tensor::zeros({1}, DType::kF64));
    for (const soflow::Batch& part : unit) {
      soflow::StepLoss loss = ranged("forward", [&] {
        return objective_(part, step_, options_.batch);  // L = L_FM + L_SCM
      });
      work.losses.back() =
          work.losses.back() + reshape(cast(loss.total.detach(), DType::kF64), {1});
      times_.forward += watch->lap();
      const bool ends_shard = (i + 1) % options_.accumulation == 0 && &part == &unit.back();
      ranged("backward", [&] {  // accumulates dL/dtheta
        if (!ends_shard) return backward(loss.total);
        const std::int64_t shard = gradients.shards().first + i / options_.accumulation;
        gradients.backward_and_take(loss.total, shard, step_ + 1);
      });
      times_.backward += watch->lap();
      loss.total = {};  // and with it what was recorded for its gradient
      work.unread.push_back(std::move(loss));
    }
    if (second_learner_ && !start_) work.parts.insert(work.parts.end(), unit.begin(), unit.end());
    clips_->upload_ahead();
  }
  return work;
}

void Trainer::update(Work* work, StepMetrics* m) {
  GradientSum& gradients = division_->gradients;
  m->lr = options_.learning_rate.at(step_);
  std::vector<soflow::SampleRecord> samples;
  if (options_.shards > 1) samples = read(work->unread);
  const Tensor loss_sum = total_loss(work->losses, &samples);
  gradients.finish(step_ + 1);
  const Tensor squares = squared_norm();
  whole_ = false;
  // theta and its average. A norm that is not finite makes the device skip the update; adding
  // loss_sum * 0 extends that to the loss. The host reads both only below.
  update_.apply(m->lr, options_.clip, squares + loss_sum * 0);
  clips_->upload_ahead();  // if its clips were not read before
  if (options_.shards == 1) samples = read(work->unread);
  outcome_ = {loss_sum.item(), std::sqrt(squares.item()), std::move(samples)};
  m->loss = outcome_.loss;
  m->grad_norm = outcome_.grad_norm;
  m->fake_mse = kNone;
  if (!keep_update()) return;
  model_->clear_gradients();
  share_slices(gradients.layout(), model_->parameters(), gradients.narrow(), division_->ranks,
               {"weights", step_ + 1});
  average_is_whole_ = division_->ranks->size() == 1;
  if (options_.average_in_loss) gather_average();
  if (second_learner_) m->fake_mse = second_learner_->step(work->parts, step_);
}

Tensor Trainer::total_loss(const std::vector<Tensor>& losses,
                           std::vector<soflow::SampleRecord>* samples) {
  if (options_.shards == 1) return losses.at(0);
  StepReport own;
  if (division_->ranks->rank() % options_.sequence == 0) {  // the others would repeat it
    own = {.ids = ids_, .samples = *samples};
    for (const Tensor& loss : losses) own.losses.push_back(loss.item());
  }
  StepReport all = merged(own, division_->ranks, step_ + 1);
  ids_ = std::move(all.ids);
  *samples = std::move(all.samples);
  return Tensor::full({1}, all.loss(), DType::kF64);
}

Tensor Trainer::squared_norm() {
  comm::Communicator& ranks = *division_->ranks;
  if (ranks.size() == 1) return update_.squared_norm();
  const std::vector<double> own = update_.block_squares().to_vector<double>();
  const FlatLayout& layout = division_->gradients.layout();
  std::vector<std::vector<double>> parts;
  std::vector<std::span<std::byte>> bytes;
  for (int r = 0; r < ranks.size(); ++r)
    parts.emplace_back(static_cast<std::size_t>(layout.blocks(r)));
  for (std::vector<double>& part : parts) bytes.push_back(std::as_writable_bytes(std::span(part)));
  ranks.all_gather(std::as_bytes(std::span(own)), bytes, {"gradient norm", step_ + 1}).wait();
  std::vector<double> all;  // in the order of the blocks in the row
  std::vector<std::size_t> taken(parts.size(), 0);
  for (const FlatLayout::Bucket& bucket : layout.buckets()) {
    for (std::size_t r = 0; r < parts.size(); ++r) {
      for (std::int64_t n = 0; n < bucket.blocks[r]; ++n) all.push_back(parts[r][taken[r]++]);
    }
  }
  return ParameterList::total_of(Tensor::from(all, {static_cast<std::int64_t>(all.size())}));
}

void Trainer::gather_average() const {
  if (average_is_whole_) return;
  const GradientSum& gradients = division_->gradients;
  share_slices(gradients.layout(), average_->parameters(), gradients.narrow(), division_->ranks,
               {"moving average", step_});
  average_is_whole_ = true;
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

bool Trainer::keep_update() {
  if (outcome_.is_finite()) return true;
  optimizer_.set_steps(updates());
  ema_.set_updates(updates());
  whole_ = true;
  if (skipped_ < options_.skip_nonfinite) {
    ++skipped_;
    return false;
  }
  std::vector<std::int64_t> culprits;
  for (const auto& sample : outcome_.samples) {
    if (!std::isfinite(sample.loss)) {
      culprits.push_back(ids_.at(static_cast<std::size_t>(sample.index - step_ * options_.batch)));
    }
  }
  throw NumericError(str(
      "[train] step ", step_ + 1, ": loss ", outcome_.loss, ", gradient norm ", outcome_.grad_norm,
      "; clips of the batch: ", list_of(ids_), culprits.empty() ? "" : "; not finite for clips: ",
      list_of(culprits), "; weights and optimizer state remain those of step ", step_,
      skipped_ > 0 ? str("; train.skip_nonfinite: all ", skipped_, " skips are spent") : ""));
}

std::vector<StateGroup> Trainer::groups() const {
  const nn::NamedTensors weights = model_->parameters();
  return {{"model.", model_->state(), division_->gradients.own()},
          {"ema.", average_->state(), division_->own_averages},
          {"adamw.m.", weights, optimizer_.first_moments()},
          {"adamw.v.", weights, optimizer_.second_moments()}};
}

nn::NamedTensors Trainer::state() const {
  comm::Communicator* ranks = division_->ranks;
  nn::NamedTensors all = collect_state(groups(), model_->parameters(),
                                       division_->gradients.layout(), ranks, {"state", step_});
  if (!ranks->is_first()) return {};
  if (second_learner_) append("", second_learner_->state(), &all);
  return all;
}

nn::NamedTensors Trainer::shared_weights() const {
  const NoGrad off;
  nn::NamedTensors weights = model_->parameters();
  const std::vector<bool>& narrow = division_->gradients.narrow();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (narrow[i]) weights[i].second = cast(weights[i].second, DType::kBF16);
  }
  return weights;
}

StateParts Trainer::state_parts() const {
  const FlatLayout& layout = division_->gradients.layout();
  const int rank = division_->ranks->rank();
  const nn::NamedTensors weights = model_->parameters();
  StateParts parts;
  for (const StateGroup& group : groups())
    add_state_parts(group.prefix, group.all, weights, layout, group.own, rank, &parts);
  if (second_learner_)
    add_state_parts("", second_learner_->state(), rank, division_->ranks->size(), &parts);
  return parts;
}

std::vector<std::pair<std::string, TensorSpec>> Trainer::state_specs() const {
  std::vector<std::pair<std::string, TensorSpec>> specs;
  nn::NamedTensors all;
  for (const StateGroup& group : groups()) append(group.prefix, group.all, &all);
  if (second_learner_) append("", second_learner_->state(), &all);
  for (const auto& [name, tensor] : all) specs.emplace_back(name, tensor.spec());
  return specs;
}

void Trainer::load_state(const nn::NamedTensors& state, std::int64_t steps,
                         std::int64_t earlier_updates, std::int64_t skipped) {
  const std::map<std::string, Tensor> sources(state.begin(), state.end());
  require_same(state_specs(), sources);
  assign_all("model.", model_->state(), sources);
  assign_all("ema.", average_->state(), sources);
  for (const StateGroup& group : groups()) {
    if (group.prefix.starts_with("adamw."))
      assign_part(group, sources, division_->gradients.layout(), division_->ranks->rank());
  }
  if (second_learner_) assign_all("", second_learner_->state(), sources);
  average_is_whole_ = true;
  step_ = steps;
  whole_ = true;
  skipped_ = skipped;
  earlier_updates_ = earlier_updates;
  optimizer_.set_steps(updates());
  ema_.set_updates(updates());
  if (second_learner_) second_learner_->go_on_after(steps - skipped);
  clips_->restart();
}

}  // namespace eflow::trainer

#include "eflow/trainer/run/generator.hpp"

#include <algorithm>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/objective/given_frames.hpp"
#include "eflow/soflow/sampling/stream_sampler.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/run/stages.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"

namespace eflow::trainer {
namespace {

void check_labels(const SampleRequest& request, std::int64_t classes) {
  if (request.labels.empty())
    throw InvalidArgument("[sample] count: expected at least one clip, found 0");
  for (const std::int64_t label : request.labels) {
    if (label >= -1 && label < classes) continue;
    throw InvalidArgument(
        str("[sample] label: expected a number from 0 to ", classes - 1, ", found ", label));
  }
}

/// Checks the length of the clips and the frames that they start from.
void check_frames(const SampleRequest& request, const nn::DiTConfig& model) {
  const std::int64_t frames = request.frames > 0 ? request.frames : model.frames;
  if (request.frames < 0 || frames % model.patch.t != 0) {
    throw InvalidArgument(str("[sample] frames: expected a multiple of the patch's ", model.patch.t,
                              " frames, found ", request.frames));
  }
  if (model.position_table && !request.stream && frames != model.frames) {
    throw InvalidArgument(str("[sample] frames: expected ", model.frames,
                              ", as the model has a position table; found ", frames));
  }
  if (request.given.values.empty()) return;
  const Shape& given = request.given.shape;
  const auto count = static_cast<std::int64_t>(request.labels.size());
  const bool fits = given.rank() == 5 && (given[0] == 1 || given[0] == count) &&
                    given[1] == model.channels && given[3] == model.height &&
                    given[4] == model.width &&
                    element_count(given) == static_cast<std::int64_t>(request.given.values.size());
  if (!fits) {
    throw InvalidArgument(str("[sample] given frames: expected [1 or ", count, ", ", model.channels,
                              ", frames, ", model.height, ", ", model.width, "], found ", given,
                              " with ", request.given.values.size(), " values"));
  }
  if (given[2] < 1 || given[2] >= frames || given[2] % model.patch.t != 0) {
    throw InvalidArgument(str("[sample] given frames: expected fewer than the ", frames,
                              " frames of the clip and a multiple of the patch's ", model.patch.t,
                              ", found ", given[2]));
  }
}

/// The given frames of clips begin .. begin + length - 1, [length, C, K, H, W].
Tensor given_rows(const GivenClips& given, std::int64_t begin, std::int64_t length) {
  Shape one = given.shape;
  one[0] = 1;
  const std::int64_t size = element_count(one);
  std::vector<float> rows;
  for (std::int64_t i = begin; i < begin + length; ++i) {
    const auto first = given.values.begin() + (given.shape[0] == 1 ? 0 : i * size);
    rows.insert(rows.end(), first, first + size);
  }
  one[0] = length;
  return Tensor::from(rows, one);
}

/// Tells a network of whole clips which frames it knows.
void give(const Tensor& first, std::int64_t frames, std::int64_t patch_t,
          nn::Condition* condition) {
  Shape rest = first.shape();
  rest[2] = frames - first.size(2);
  condition->given = concat({first, Tensor::zeros(rest, first.dtype(), first.device())}, 2);
  const std::vector<std::int64_t> counts(static_cast<std::size_t>(first.size(0)),
                                         first.size(2) / patch_t);
  condition->known = soflow::first_frames_known(counts, frames / patch_t, first);
}

/// Labels as a tensor [n]; -1 becomes the network's null label, `classes`.
Tensor label_tensor(const std::vector<std::int64_t>& labels, std::int64_t classes) {
  if (classes == 0) return {};
  std::vector<std::int64_t> ids = labels;
  std::replace(ids.begin(), ids.end(), std::int64_t{-1}, classes);
  return Tensor::from(ids, {static_cast<std::int64_t>(ids.size())});
}

}  // namespace

namespace {

/// Whether a run with this configuration trains the velocity that guidance steers from.
bool trains(const Config& config, soflow::Unconditional from) {
  const bool eflow = config.objective.kind == ObjectiveKind::kEFlow;
  if (from != config.guidance.kind) return false;
  if (from == soflow::Unconditional::kWeakPath) {
    const double fm = config.objective.fm_share;
    return eflow && config.guidance.path_drop > 0 && fm > 0 &&
           (fm > config.mva.share || config.mva.from > 0);
  }
  const bool maps = eflow || config.objective.kind == ObjectiveKind::kAnyFlow;
  return config.guidance.label_drop > 0 && (maps || config.anyflow.cotrain);
}

/// Whether `holds` for the run or for one that it began from, as far as they still exist.
bool in_history(const Config& config, const std::function<bool(const Config&)>& holds) {
  constexpr int kMostRuns = 100;
  Config now = config;
  for (int i = 0; i < kMostRuns; ++i) {
    if (holds(now)) return true;
    if (now.train.init_from.empty()) return false;
    try {
      now = info_of(newest_checkpoint(now.train.init_from)).config;
    } catch (const Error&) {
      return false;
    }
  }
  return false;
}

}  // namespace

void check_steering(const CheckpointInfo& info, soflow::Unconditional from,
                    soflow::Sampler sampler) {
  const bool weak = from == soflow::Unconditional::kWeakPath;
  if (weak && sampler != soflow::Sampler::kEuler) {
    throw InvalidArgument(
        str("[sample] steer: expected 1 with the sampler ", name_of(sampler),
            ", as the weak path (guidance.kind = weak) is trained at s = t only; use the sampler "
            "euler, or steer = 1"));
  }
  if (!weak && info.data.clips.classes == 0 && info.data.clips.context_dim == 0) {
    throw InvalidArgument(
        "[sample] steer: expected 1, as the model takes neither labels nor text, so there is no "
        "null condition to steer from");
  }
  if (in_history(info.config, [&](const Config& c) { return trains(c, from); })) return;
  throw InvalidArgument(str("[sample] steer: expected 1, as the run never trained its ",
                            weak ? "weak path" : "null condition",
                            ": guidance.kind = ", name_of(info.config.guidance.kind),
                            ", objective.fm_share = ", info.config.objective.fm_share,
                            ", guidance.path_drop = ", info.config.guidance.path_drop,
                            ", objective.label_drop = ", info.config.guidance.label_drop,
                            "; train with ", weak ? "guidance.path_drop" : "objective.label_drop",
                            " above 0"));
}

void undo_normalisation(const io::LatentSpace& latent, GeneratedClips* clips) {
  const Shape& shape = clips->shape;
  const std::int64_t plane = shape[2] * shape[3] * shape[4];
  for (std::size_t i = 0; i < clips->values.size(); ++i) {
    const auto c = static_cast<std::size_t>(static_cast<std::int64_t>(i) / plane % shape[1]);
    const double std = latent.std.empty() ? 1 : latent.std[c];
    const double mean = latent.mean.empty() ? 0 : latent.mean[c];
    clips->values[i] = static_cast<float>(clips->values[i] * std + mean);
  }
}

void check_continuing(const CheckpointInfo& info) {
  if (is_causal(info.config)) return;
  const auto gives = [](const Config& c) { return c.objective.given.share > 0; };
  if (in_history(info.config, gives)) return;
  throw InvalidArgument(
      "[sample] given frames: expected none, as the run was never trained with given frames: "
      "objective.given_share = 0; train with objective.given_share above 0, or a chunk-causal "
      "model "
      "(model.chunk_frames)");
}

std::vector<std::int64_t> cycle_labels(std::int64_t count, std::int64_t classes) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(classes > 0 ? i % classes : -1);
  return labels;
}

std::int64_t evaluations(const SampleRequest& request, const nn::DiTConfig& model) {
  const std::int64_t frames = request.frames > 0 ? request.frames : model.frames;
  const std::int64_t given = request.given.values.empty() ? 0 : request.given.shape[2];
  const std::int64_t steps =
      request.steps * (request.stream ? soflow::chunks_to_sample(model, frames, given) : 1);
  const auto count = static_cast<std::int64_t>(request.labels.size());
  return (count + request.part - 1) / request.part * steps;
}

namespace {

/// The contexts [count, L, E] of clips [first, first + count).
Tensor context_of(const SampleRequest& request, std::int64_t width, std::int64_t first,
                  std::int64_t count) {
  const Tensor& null = request.null_context;
  if (null.defined() && (null.rank() != 2 || null.size(1) != width))
    throw ShapeError(str("[sample] null_context: expected [L, ", width, "], found ", null));
  if (!request.context) {
    if (null.defined()) return broadcast_to(null, {count, null.size(0), width});
    return Tensor::zeros({count, 1, width});
  }
  Tensor context = request.context(first, count);
  const bool good = context.defined() && context.rank() == 3 && context.size(0) == count &&
                    context.size(2) == width &&
                    (!null.defined() || context.size(1) == null.size(0));
  if (good) return context;
  throw ShapeError(str("[sample] context: expected [", count, ", ",
                       null.defined() ? str(null.size(0)) : "L", ", ", width, "], found ",
                       context.defined() ? str(context) : "an undefined tensor"));
}

/// `stream`: whether clips are generated chunk by chunk.
void check_request(const SampleRequest& request, const nn::DiTConfig& config, bool stream) {
  check_labels(request, config.classes);
  check_frames(request, config);
  if (config.context_dim == 0 && request.context)
    throw InvalidArgument("[sample] context: the model takes no text");
  if (stream && request.steer != 1)
    throw InvalidArgument(
        "[sample] steer: expected 1, as clips generated chunk by chunk support no guidance at "
        "sampling time");
}

}  // namespace

std::optional<GeneratedClips> sample_clips(const nn::VideoDiT& model,
                                           const SampleRequest& request) {
  const nn::DiTConfig& config = model.config();
  check_request(request, config, request.stream);
  const auto count = static_cast<std::int64_t>(request.labels.size());
  soflow::Network network = std::cref(model);
  if (request.steer != 1)
    network = soflow::guided(network, request.steer, request.steer_from, config.classes);
  const std::int64_t total = evaluations(request, config);
  GeneratedClips clips;
  const std::int64_t frames = request.frames > 0 ? request.frames : config.frames;
  clips.shape = {count, config.channels, frames, config.height, config.width};
  clips.labels = request.labels;
  for (std::int64_t begin = 0, p = 0; begin < count; begin += request.part, ++p) {
    const std::int64_t length = std::min(request.part, count - begin);
    std::vector<std::int64_t> ids(static_cast<std::size_t>(length));
    std::iota(ids.begin(), ids.end(), request.first_id + begin);
    Shape shape = clips.shape;
    shape[0] = length;
    nn::Condition condition;
    condition.labels = label_tensor(
        {clips.labels.begin() + begin, clips.labels.begin() + begin + length}, config.classes);
    if (config.guidance_embedding) {
      condition.guidance = Tensor::full({length}, request.guidance, DType::kF32);
    }
    if (config.context_dim > 0) {
      condition.context = context_of(request, config.context_dim, begin, length);
      condition.null_context = request.null_context;
    }
    soflow::SampleOptions options{
        .sampler = request.sampler, .steps = request.steps, .shift = request.shift};
    options.seed = request.seed;
    options.progress = [&](int done, int steps) {
      return !request.progress || request.progress(p * steps + done, total);
    };
    const Tensor given =
        request.given.values.empty() ? Tensor() : given_rows(request.given, begin, length);
    if (given.defined() && !request.stream) give(given, frames, config.patch.t, &condition);
    const Tensor x1 = soflow::sample_noise(shape, request.seed, ids);
    const auto x = request.stream ? soflow::sample_stream(model, x1, ids, condition, options, given)
                                  : soflow::sample(network, x1, ids, condition, options);
    if (!x) return std::nullopt;
    const auto values = x->to_vector<float>();
    clips.values.insert(clips.values.end(), values.begin(), values.end());
  }
  return clips;
}

io::Checkpoint newest_checkpoint(const std::filesystem::path& given) {
  if (!path_exists(given)) throw CheckpointError(str("[run] ", given.string(), ": no such folder"));
  const std::filesystem::path path = last_stage(given);
  const RunDirectory run(path);
  if (!path_exists(run.checkpoints())) return open_checkpoint(path);
  auto found = io::CheckpointStore(run.checkpoints()).latest_good();
  if (!found)
    throw CheckpointError(
        str("[run] ", path.string(), ": no good checkpoint in ", run.checkpoints().string()));
  return std::move(*found);
}

void Generator::check(const SampleRequest& request) const {
  const bool stream = is_causal(info_.config);
  if (request.steer != 1 && !stream) check_steering(info_, request.steer_from, request.sampler);
  if (!request.given.values.empty()) check_continuing(info_);
  check_request(request, model_->config(), stream);
}

std::optional<GeneratedClips> Generator::sample(SampleRequest request) const {
  check(request);
  request.stream = is_causal(info_.config);
  if (!request.null_context.defined()) request.null_context = null_context_of(info_.data);
  return sample_clips(*model_, request);
}

Generator Generator::load(const std::filesystem::path& run_or_checkpoint) {
  const io::Checkpoint checkpoint = newest_checkpoint(run_or_checkpoint);
  Generator generator;
  generator.info_ = info_of(checkpoint);
  generator.model_ =
      make_model(generator.info_.config, generator.info_.data.clips, Weights::kZeros);
  generator.model_->set_trainable(false);
  generator.model_->load_state(load_tensors(checkpoint, "ema."));
  generator.model_->prepare(false);
  return generator;
}

}  // namespace eflow::trainer

#include "eflow/trainer/run/generator.hpp"

#include <algorithm>
#include <numeric>

#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/sampling/stream_sampler.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/run/stages.hpp"
#include "eflow/trainer/run/tensor_bytes.hpp"

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

/// Labels as a tensor [n]; -1 becomes the network's null label, `classes`.
Tensor label_tensor(const std::vector<std::int64_t>& labels, std::int64_t classes) {
  if (classes == 0) return {};
  std::vector<std::int64_t> ids = labels;
  std::replace(ids.begin(), ids.end(), std::int64_t{-1}, classes);
  return Tensor::from(ids, {static_cast<std::int64_t>(ids.size())});
}

}  // namespace

std::vector<std::int64_t> cycle_labels(std::int64_t count, std::int64_t classes) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(classes > 0 ? i % classes : -1);
  return labels;
}

std::int64_t evaluations(const SampleRequest& request, const nn::DiTConfig& model) {
  const auto chunks = [&] {
    const auto lengths = nn::chunk_lengths(model.grid().t, model.chunk_frames);
    return static_cast<std::int64_t>(lengths.size());
  };
  const std::int64_t steps = request.steps * (request.stream ? chunks() : 1);
  const auto count = static_cast<std::int64_t>(request.labels.size());
  return (count + request.part - 1) / request.part * steps;
}

std::optional<GeneratedClips> sample_clips(const nn::VideoDiT& model,
                                           const SampleRequest& request) {
  const nn::DiTConfig& config = model.config();
  check_labels(request, config.classes);
  const auto count = static_cast<std::int64_t>(request.labels.size());
  soflow::Network network = std::cref(model);
  if (request.steer != 1)
    network = soflow::guided(network, request.steer, request.steer_from, config.classes);
  if (request.stream && request.steer != 1)
    throw InvalidArgument(
        "[sample] steer: expected 1, as clips generated chunk by chunk support no guidance at "
        "sampling time");
  const std::int64_t total = evaluations(request, config);
  GeneratedClips clips;
  clips.shape = {count, config.channels, config.frames, config.height, config.width};
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
    if (config.context_dim > 0) condition.context = Tensor::zeros({length, 1, config.context_dim});
    soflow::SampleOptions options{
        .sampler = request.sampler, .steps = request.steps, .shift = request.shift};
    options.seed = request.seed;
    options.progress = [&](int done, int steps) {
      return !request.progress || request.progress(p * steps + done, total);
    };
    const Tensor x1 = soflow::sample_noise(shape, request.seed, ids);
    const auto x = request.stream ? soflow::sample_stream(model, x1, ids, condition, options)
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

Generator Generator::load(const std::filesystem::path& run_or_checkpoint) {
  const io::Checkpoint checkpoint = newest_checkpoint(run_or_checkpoint);
  Generator generator;
  generator.info_ = info_of(checkpoint);
  generator.model_ = make_model(generator.info_.config, generator.info_.data.clips);
  generator.model_->set_trainable(false);
  generator.model_->load_state(load_tensors(checkpoint, "ema."));
  generator.model_->prepare(false);
  return generator;
}

}  // namespace eflow::trainer

#include "eflow/trainer/eval/features.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "eflow/core/base/log.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/io/dataset/loader.hpp"
#include "eflow/nn/optim/adamw.hpp"
#include "eflow/nn/optim/grad_clip.hpp"
#include "eflow/nn/optim/schedule.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/tensor_bytes.hpp"

namespace eflow::trainer {
namespace {

constexpr std::int64_t kPart = 64;           // clips per forward pass; bounds the memory
constexpr std::uint32_t kNoisePurpose = 40;  // distinct from the purposes of the generator's draws

std::unique_ptr<ClipClassifier> make_classifier(const ClipFormat& clips, std::uint64_t seed) {
  const RandomKey key{.seed = seed, .purpose = nn::kInitPurpose};
  return std::make_unique<ClipClassifier>(nn::Scope(key), clips);
}

/// The batch's clips with noise that depends on each clip's position in the training order only.
Tensor noisy(const io::Batch& batch, const FeatureTraining& options) {
  const Tensor clips = Tensor::from(batch.clips, batch.shape);
  std::vector<std::int64_t> positions;
  const auto count = static_cast<std::int64_t>(batch.ids.size());
  for (std::int64_t i = 0; i < count; ++i) positions.push_back(batch.step * count + i);
  const RandomKey key{.seed = options.seed, .purpose = kNoisePurpose};
  return clips + random_normal(batch.shape, key, positions) * options.noise;
}

}  // namespace

Features Features::train(const DataSets& data, const FeatureTraining& options) {
  if (!data.held_out)
    throw DataError("[features] no held-out clips; set data.eval to split or to a folder");
  for (const std::string& warning : data.warnings) log_warning("[data] ", warning);
  if (data.info.clips.classes < 2)
    throw DataError("[features] expected a data set with at least two classes");
  Features features;
  features.data_ = data.info;
  features.classifier_ = make_classifier(data.info.clips, options.seed);
  nn::AdamW optimizer(features.classifier_->parameters(), {.weight_decay = 0.01});
  const nn::LearningRate rate{.peak = options.lr,
                              .curve = nn::Curve::kCosine,
                              .warmup = options.iterations / 10,
                              .total = options.iterations};
  io::Loader loader(*data.training, io::SampleOrder(data.training->size(), options.seed),
                    {.batch_size = options.batch});
  for (std::int64_t step = 0; step < options.iterations; ++step) {
    const io::Batch batch = loader.next();
    const std::vector<std::int64_t> labels(batch.labels.begin(), batch.labels.end());
    const Tensor logits = (*features.classifier_)(noisy(batch, options));
    const Tensor loss = cross_entropy(logits, Tensor::from(labels, {options.batch}));
    backward(loss);
    const double norm = nn::gradient_norm(features.classifier_->parameters());
    if (!std::isfinite(norm))
      throw NumericError(str("[features] step ", step + 1, ": gradient norm ", norm));
    optimizer.step(rate.at(step), nn::clip_factor(norm, 1));
    features.classifier_->clear_gradients();
    if (options.progress && !options.progress(step + 1, loss.item())) break;
  }
  features.accuracy_ = features.accuracy_on(*data.held_out);
  return features;
}

double Features::accuracy_on(const io::ClipSource& source) const {
  const ClipTable table = choose_clips(source, source.size(), 1);
  const auto predicted = read(table.values, table.shape);
  const auto right =
      std::inner_product(predicted.begin(), predicted.end(), table.labels.begin(), std::int64_t{0},
                         std::plus<>(), [](auto a, auto b) { return a == b ? 1 : 0; });
  return static_cast<double>(right) / static_cast<double>(predicted.size());
}

std::vector<std::int64_t> Features::read(std::span<const float> values, const Shape& shape) const {
  const NoGrad off;
  const Tensor clips = Tensor::from(values, shape);
  const std::int64_t count = shape[0], classes = data_.clips.classes;
  std::vector<std::int64_t> labels;
  for (std::int64_t begin = 0; begin < count; begin += kPart) {
    const std::int64_t length = std::min(kPart, count - begin);
    const auto logits = (*classifier_)(narrow(clips, 0, begin, length)).to_vector<float>();
    for (std::int64_t i = 0; i < length; ++i) {
      const auto row = logits.begin() + i * classes;
      labels.push_back(std::max_element(row, row + classes) - row);
    }
  }
  return labels;
}

std::vector<double> Features::embed(std::span<const float> values, const Shape& shape) const {
  const NoGrad off;
  const Tensor clips = Tensor::from(values, shape);
  std::vector<double> rows;
  for (std::int64_t begin = 0; begin < shape[0]; begin += kPart) {
    const std::int64_t length = std::min(kPart, shape[0] - begin);
    const auto part = classifier_->features(narrow(clips, 0, begin, length)).to_vector<double>();
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

void Features::save(const std::filesystem::path& folder) const {
  const nlohmann::ordered_json description = {{"kind", "features"},
                                              {"held_out_accuracy", accuracy_},
                                              {"data", nlohmann::json::parse(to_json(data_))}};
  const TensorBytes bytes("classifier.", classifier_->state());
  io::CheckpointStore(folder, {.keep_last = 1}).save(0, bytes.arrays(), description.dump());
}

Features Features::load(const std::filesystem::path& folder) {
  auto checkpoint = io::CheckpointStore(folder).latest_good();
  if (!checkpoint) {
    throw CheckpointError(str("[features] ", folder.string(),
                              ": no features found; create them with 'eflow eval train-features'"));
  }
  const auto json = nlohmann::json::parse(checkpoint->metadata(), nullptr, false);
  if (!json.is_object() || json.value("kind", "") != "features") {
    throw CheckpointError(str("[features] ", folder.string(),
                              ": expected features, found a checkpoint of another kind"));
  }
  Features features;
  features.data_ = data_info_from_json(json.at("data").dump(), folder.string());
  features.accuracy_ = json.at("held_out_accuracy");
  features.classifier_ = make_classifier(features.data_.clips, 0);
  features.classifier_->load_state(load_tensors(*checkpoint, "classifier."));
  return features;
}

}  // namespace eflow::trainer

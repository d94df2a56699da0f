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
#include "eflow/trainer/saving/tensor_bytes.hpp"

namespace eflow::trainer {
namespace {

constexpr std::int64_t kPart = 64;           // clips per forward pass; bounds the memory
constexpr std::uint32_t kNoisePurpose = 40;  // distinct from the purposes of the generator's draws

std::unique_ptr<ClipClassifier> make_classifier(const ClipFormat& clips, std::int64_t outputs,
                                                std::uint64_t seed) {
  const RandomKey key{.seed = seed, .purpose = nn::kInitPurpose};
  return std::make_unique<ClipClassifier>(nn::Scope(key), clips, outputs);
}

/// What the heads are to predict for the clips of a source.
class Targets {
 public:
  /// `indices` are those of the source's clips in the table; without a table, labels are read.
  Targets(const AttributeTable* table, const std::vector<std::int64_t>& indices)
      : table_(table), indices_(indices) {}
  /// Value of head `a` for clip `id` of the source, whose label is `label`.
  [[nodiscard]] std::int64_t at(std::int64_t id, std::int64_t label, std::size_t a) const {
    return table_ ? table_->at(indices_.at(static_cast<std::size_t>(id)), a) : label;
  }

 private:
  const AttributeTable* table_;
  const std::vector<std::int64_t>& indices_;
};

void require_rows(const AttributeTable& table, const io::ClipSource& source, const char* what) {
  if (table.clips() == source.size()) return;
  throw DataError(str("[features] attributes of ", table.clips(), " clips, but the folder of the ",
                      what, " clips has ", source.size()));
}

/// Sum over the heads of the mean cross-entropy of a batch.
Tensor loss_of(const Tensor& logits, const std::vector<Attribute>& heads, const Targets& targets,
               const io::Batch& batch) {
  const auto count = static_cast<std::int64_t>(batch.ids.size());
  Tensor sum;
  std::int64_t begin = 0;
  for (std::size_t a = 0; a < heads.size(); ++a) {
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < batch.ids.size(); ++i)
      values.push_back(targets.at(batch.ids[i], batch.labels[i], a));
    const Tensor own = heads.size() == 1 ? logits : narrow(logits, 1, begin, heads[a].classes);
    const Tensor loss = cross_entropy(own, Tensor::from(values, {count}));
    sum = sum.defined() ? sum + loss : loss;
    begin += heads[a].classes;
  }
  return sum;
}

/// Fraction of right predictions of each head on all clips of a source.
std::vector<double> accuracies_on(const io::ClipSource& source, const Features& features,
                                  const Targets& targets) {
  const std::int64_t count = source.size();
  const std::size_t heads = features.heads().size();
  io::Loader loader(source, io::SampleOrder(count, 1, io::Shuffle::kNo), {.batch_size = kPart});
  std::vector<double> right(heads);
  for (std::int64_t begin = 0; begin < count; begin += kPart) {
    const io::Batch clips = loader.next();
    const auto predicted = features.read(clips.clips, clips.shape);
    // The last batch goes on with the first clips again.
    const auto length = static_cast<std::size_t>(std::min(kPart, count - begin));
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t a = 0; a < heads; ++a)
        right[a] += predicted[i * heads + a] == targets.at(clips.ids[i], clips.labels[i], a);
    }
  }
  for (double& value : right) value /= static_cast<double>(count);
  return right;
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
  const AttributeTable* table = options.attributes;
  const AttributeTable* held_out_table =
      options.held_out_attributes ? options.held_out_attributes : table;
  if (table) {
    require_rows(*table, *data.whole, "training");
    require_rows(*held_out_table, data.other ? *data.other : *data.whole, "held-out");
  } else if (data.info.clips.classes < 2) {
    throw DataError("[features] expected a data set with at least two classes, or attributes");
  }
  Features features;
  features.data_ = data.info;
  features.has_attributes_ = table != nullptr;
  if (table) {
    features.heads_ = table->attributes;
  } else {
    features.heads_ = {{"label", data.info.clips.classes, data.info.class_names}};
  }
  features.classifier_ = make_classifier(data.info.clips, features.outputs(), options.seed);
  const Targets targets(table, data.training_indices);
  nn::AdamW optimizer(features.classifier_->parameters(), {.weight_decay = 0.01});
  const nn::LearningRate rate{.peak = options.lr,
                              .curve = nn::Curve::kCosine,
                              .warmup = options.iterations / 10,
                              .total = options.iterations};
  io::Loader loader(*data.training, io::SampleOrder(data.training->size(), options.seed),
                    {.batch_size = options.batch});
  for (std::int64_t step = 0; step < options.iterations; ++step) {
    const io::Batch batch = loader.next();
    const Tensor logits = (*features.classifier_)(noisy(batch, options));
    const Tensor loss = loss_of(logits, features.heads_, targets, batch);
    backward(loss);
    const double norm = nn::gradient_norm(features.classifier_->parameters());
    if (!std::isfinite(norm))
      throw NumericError(str("[features] step ", step + 1, ": gradient norm ", norm));
    optimizer.step(rate.at(step), nn::clip_factor(norm, 1));
    features.classifier_->clear_gradients();
    if (options.progress && !options.progress(step + 1, loss.item())) break;
  }
  features.accuracies_ =
      accuracies_on(*data.held_out, features, Targets(held_out_table, data.held_out_indices));
  return features;
}

std::int64_t Features::outputs() const {
  std::int64_t sum = 0;
  for (const Attribute& head : heads_) sum += head.classes;
  return sum;
}

double Features::held_out_accuracy() const {
  return std::accumulate(accuracies_.begin(), accuracies_.end(), 0.0) /
         static_cast<double>(accuracies_.size());
}

std::vector<std::int64_t> Features::read(std::span<const float> values, const Shape& shape) const {
  const NoGrad off;
  const Tensor clips = Tensor::from(values, shape);
  const std::int64_t count = shape[0], width = outputs();
  std::vector<std::int64_t> labels;
  for (std::int64_t begin = 0; begin < count; begin += kPart) {
    const std::int64_t length = std::min(kPart, count - begin);
    const auto logits = (*classifier_)(narrow(clips, 0, begin, length)).to_vector<float>();
    for (std::int64_t i = 0; i < length; ++i) {
      auto row = logits.begin() + i * width;
      for (const Attribute& head : heads_) {
        labels.push_back(std::max_element(row, row + head.classes) - row);
        row += head.classes;
      }
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
  nlohmann::ordered_json description = {{"kind", "features"},
                                        {"held_out_accuracy", held_out_accuracy()},
                                        {"data", nlohmann::json::parse(to_json(data_))}};
  for (std::size_t a = 0; has_attributes_ && a < heads_.size(); ++a) {
    description["attributes"].push_back({{"name", heads_[a].name},
                                         {"classes", heads_[a].classes},
                                         {"values", heads_[a].values},
                                         {"held_out_accuracy", accuracies_[a]}});
  }
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
  features.has_attributes_ = json.contains("attributes");
  if (features.has_attributes_) {
    for (const auto& head : json.at("attributes")) {
      features.heads_.push_back(
          {head.at("name"), head.at("classes"), head.at("values").get<std::vector<std::string>>()});
      features.accuracies_.push_back(head.at("held_out_accuracy"));
    }
  } else {
    features.heads_ = {{"label", features.data_.clips.classes, features.data_.class_names}};
    features.accuracies_ = {json.at("held_out_accuracy").get<double>()};
  }
  features.classifier_ = make_classifier(features.data_.clips, features.outputs(), 0);
  features.classifier_->load_state(load_tensors(*checkpoint, "classifier."));
  return features;
}

}  // namespace eflow::trainer

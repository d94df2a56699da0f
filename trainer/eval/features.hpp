#pragma once
// Features: a trained ClipClassifier with its held-out accuracy. It judges generated clips: by the
// labels or attributes it predicts, and by Frechet distances of its features.

#include <filesystem>
#include <functional>
#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/eval/attributes.hpp"
#include "eflow/trainer/eval/classifier.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct FeatureTraining {
  std::int64_t iterations = 800, batch = 64;
  double lr = 2e-3;  ///< peak learning rate
  /// Standard deviation of noise added to training clips, so that small flaws do not decide.
  double noise = 0.1;
  std::uint64_t seed = 1;
  /// What to predict instead of labels, for the clips of data.dir and for those of the folder of
  /// data.eval, or the same again. Null: labels. Borrowed.
  const AttributeTable* attributes = nullptr;
  const AttributeTable* held_out_attributes = nullptr;
  /// Called after every step; false stops the training early.
  std::function<bool(std::int64_t step, double loss)> progress = {};
};

class Features {
 public:
  /// Trains on data.training and measures the accuracy on all of data.held_out. Throws DataError if
  /// there are no held-out clips, fewer than two classes, or not as many rows of attributes as
  /// clips; NumericError.
  [[nodiscard]] static Features train(const DataSets& data, const FeatureTraining& options);
  /// Throws CheckpointError, CorruptData.
  [[nodiscard]] static Features load(const std::filesystem::path& folder);
  /// Throws IoError, NoSpaceError.
  void save(const std::filesystem::path& folder) const;

  /// The most likely value of each head for each clip, [n, heads().size()]; values [n, C, T, H, W].
  /// With labels, there is one head. Throws ShapeError.
  [[nodiscard]] std::vector<std::int64_t> read(std::span<const float> values,
                                               const Shape& shape) const;

  /// The classifier's features of clips [n, C, T, H, W], for Frechet distances: n rows of
  /// feature_size() values. Throws ShapeError.
  [[nodiscard]] std::vector<double> embed(std::span<const float> values, const Shape& shape) const;
  [[nodiscard]] static std::int64_t feature_size() { return ClassifierConfig().width; }

  /// The attributes that are predicted; without attributes, one for the label.
  [[nodiscard]] const std::vector<Attribute>& heads() const { return heads_; }
  /// Whether the heads are attributes rather than the label.
  [[nodiscard]] bool has_attributes() const { return has_attributes_; }
  /// Fraction of the held-out clips that each head classifies correctly, in [0, 1].
  [[nodiscard]] const std::vector<double>& held_out_accuracies() const { return accuracies_; }
  /// Their mean.
  [[nodiscard]] double held_out_accuracy() const;
  [[nodiscard]] const DataInfo& data() const { return data_; }

 private:
  Features() = default;
  [[nodiscard]] std::int64_t outputs() const;
  std::unique_ptr<ClipClassifier> classifier_;
  DataInfo data_;
  std::vector<Attribute> heads_;
  bool has_attributes_ = false;
  std::vector<double> accuracies_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Features: a trained ClipClassifier with its held-out accuracy. It judges generated clips: by the
// labels it predicts, and by Frechet distances of its features.

#include <filesystem>
#include <functional>
#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/eval/classifier.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct FeatureTraining {
  std::int64_t iterations = 800, batch = 64;
  double lr = 2e-3;  ///< peak learning rate
  /// Standard deviation of noise added to training clips, so that small flaws do not decide.
  double noise = 0.1;
  std::uint64_t seed = 1;
  /// Called after every step; false stops the training early.
  std::function<bool(std::int64_t step, double loss)> progress = {};
};

class Features {
 public:
  /// Trains on data.training and measures the accuracy on all of data.held_out. Throws DataError if
  /// there are no held-out clips or fewer than two classes, NumericError.
  [[nodiscard]] static Features train(const DataSets& data, const FeatureTraining& options);
  /// Throws CheckpointError, CorruptData.
  [[nodiscard]] static Features load(const std::filesystem::path& folder);
  /// Throws IoError, NoSpaceError.
  void save(const std::filesystem::path& folder) const;

  /// The most likely label of each clip; values [n, C, T, H, W]. Throws ShapeError.
  [[nodiscard]] std::vector<std::int64_t> read(std::span<const float> values,
                                               const Shape& shape) const;

  /// The classifier's features of clips [n, C, T, H, W], for Frechet distances: n rows of
  /// feature_size() values. Throws ShapeError.
  [[nodiscard]] std::vector<double> embed(std::span<const float> values, const Shape& shape) const;
  [[nodiscard]] static std::int64_t feature_size() { return ClassifierConfig().width; }

  /// Fraction of the held-out clips classified correctly, in [0, 1].
  [[nodiscard]] double held_out_accuracy() const { return accuracy_; }
  [[nodiscard]] const DataInfo& data() const { return data_; }

 private:
  Features() = default;
  [[nodiscard]] double accuracy_on(const io::ClipSource& source) const;
  std::unique_ptr<ClipClassifier> classifier_;
  DataInfo data_;
  double accuracy_ = 0;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

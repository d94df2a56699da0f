#pragma once
// Opens the training clips and the held-out clips of a run, as the [data] section describes them.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/data/data_info.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// A contiguous range of the clips of another source, which must outlive it.
class PartOfSource final : public io::ClipSource {
 public:
  PartOfSource(const io::ClipSource* whole, std::int64_t first, std::int64_t count)
      : whole_(whole), first_(first), count_(count) {}
  [[nodiscard]] std::int64_t size() const override { return count_; }
  [[nodiscard]] Shape clip_shape() const override { return whole_->clip_shape(); }
  [[nodiscard]] std::int64_t class_count() const override { return whole_->class_count(); }
  [[nodiscard]] std::vector<std::string> class_names() const override {
    return whole_->class_names();
  }
  [[nodiscard]] double fps() const override { return whole_->fps(); }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    return whole_->read(first_ + index, clip);
  }
  [[nodiscard]] Shape context_shape() const override { return whole_->context_shape(); }
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override {
    whole_->read_context(first_ + index, draw, context);
  }
  void read_null_context(std::span<float> context) const override {
    whole_->read_null_context(context);
  }

 private:
  const io::ClipSource* whole_;
  std::int64_t first_, count_;
};

/// Some clips of another source, which must outlive it.
class ChosenFromSource final : public io::ClipSource {
 public:
  /// `indices` must be those of clips of `whole`.
  ChosenFromSource(const io::ClipSource* whole, std::vector<std::int64_t> indices)
      : whole_(whole), indices_(std::move(indices)) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(indices_.size());
  }
  [[nodiscard]] Shape clip_shape() const override { return whole_->clip_shape(); }
  [[nodiscard]] std::int64_t class_count() const override { return whole_->class_count(); }
  [[nodiscard]] std::vector<std::string> class_names() const override {
    return whole_->class_names();
  }
  [[nodiscard]] double fps() const override { return whole_->fps(); }
  /// Throws std::out_of_range for an index that is out of range.
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    return whole_->read(indices_.at(static_cast<std::size_t>(index)), clip);
  }
  [[nodiscard]] Shape context_shape() const override { return whole_->context_shape(); }
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override {
    whole_->read_context(indices_.at(static_cast<std::size_t>(index)), draw, context);
  }
  void read_null_context(std::span<float> context) const override {
    whole_->read_null_context(context);
  }

 private:
  const io::ClipSource* whole_;
  std::vector<std::int64_t> indices_;
};

/// The clips of a run. `training` and `held_out` are the sources to read; they refer to the other
/// two.
struct DataSets {
  std::unique_ptr<io::ClipSource> whole = {};  ///< data.dir or the exact flow
  std::unique_ptr<io::ClipSource> other = {};  ///< the folder of data.eval, if it names one
  std::unique_ptr<io::ClipSource> training = {};
  std::unique_ptr<io::ClipSource> held_out = {};  ///< null for data.eval = none
  /// The clips of `training` and `held_out` by their indices in the folder that they are read from.
  std::vector<std::int64_t> training_indices = {}, held_out_indices = {};
  DataInfo info = {};
  /// Sentences about classes without training clips or without held-out clips, for the user.
  std::vector<std::string> warnings = {};
};

/// Marks the fingerprint of a run whose held-out clips were chosen by stratified_split(). Runs that
/// withhold the last clips, or none, have the fingerprint without it.
inline constexpr const char* kStratifiedMark = "+stratified";

/// The null context of a source, [L, E]; undefined if it is zero or the source has no context.
[[nodiscard]] Tensor read_null_context(const io::ClipSource& source);

/// The contexts of these clips, [n, L, E]; undefined if the source has none. A clip with several
/// captions gives its first.
[[nodiscard]] Tensor read_contexts(const io::ClipSource& source,
                                   const std::vector<std::int64_t>& indices);

/// The contexts [count, L, E] of clips that a constant key chooses, each perhaps several times;
/// undefined if the source has none.
[[nodiscard]] Tensor choose_contexts(const io::ClipSource& source, std::int64_t count);

/// Opens data.dir and data.eval, or creates an ExactSource. Throws InvalidArgument if no data set
/// is given, DataError if one is missing, too small to split, or of another format than the other,
/// and CorruptData if one is damaged.
[[nodiscard]] DataSets open_data(const DataConfig& config);

/// Opens a packed data set. `context_length`, unless it is 0, is that of its text. Throws DataError
/// if the folder holds none, CorruptData; InvalidArgument for a context length that does not fit.
[[nodiscard]] std::unique_ptr<io::Dataset> open_dataset(const std::filesystem::path& directory,
                                                        std::int64_t context_length = 0);

/// Clips read into memory.
struct ClipTable {
  Shape shape = {};  ///< [n, C, T, H, W]
  std::vector<float> values = {};
  std::vector<std::int64_t> labels = {};  ///< [n]
  Tensor context = {};                    ///< [n, L, E] or undefined
  Tensor null_context = {};               ///< [L, E] or undefined
};
/// Reads `count` clips (at most all) in a random order that depends on `seed` alone.
[[nodiscard]] ClipTable choose_clips(const io::ClipSource& source, std::int64_t count,
                                     std::uint64_t seed);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

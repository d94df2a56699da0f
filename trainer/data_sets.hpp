#pragma once
// The clips a run trains on and the clips it is measured on, from the [data] section.

#include <memory>
#include <vector>

#include "eflow/core/tensor.hpp"
#include "eflow/io/dataset.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/data_info.hpp"

namespace eflow::trainer {

/// A consecutive part of another source, which must outlive it.
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
  void read_context(std::int64_t index, std::span<float> context) const override {
    whole_->read_context(first_ + index, context);
  }

 private:
  const io::ClipSource* whole_;
  std::int64_t first_, count_;
};

struct DataSets {
  std::unique_ptr<io::ClipSource> whole,
      other;  ///< what is open; other: a separate folder of held-out clips
  std::unique_ptr<io::ClipSource> training;
  std::unique_ptr<io::ClipSource> held_out;  ///< null for data.eval = none
  DataInfo info;
};

/// The context of these clips, [n, L, E], or undefined where the source has none.
[[nodiscard]] Tensor read_contexts(const io::ClipSource& source,
                                   const std::vector<std::int64_t>& indices);

/// Opens data.dir and data.eval, or makes an ExactSource. Throws DataError where there is no data set or the two do not fit each other,
/// CorruptData for damage.
[[nodiscard]] DataSets open_data(const DataConfig& config);

/// A data set that must be there. Throws DataError if it is not.
[[nodiscard]] std::unique_ptr<io::Dataset> open_dataset(const std::filesystem::path& directory);

/// Clips 0 .. count-1 of a keyed random order: the same choice for the same seed.
struct ClipTable {
  Shape shape;  ///< [n, C, T, H, W]
  std::vector<float> values;
  std::vector<std::int64_t> labels;
  Tensor context;  ///< [n, L, E] or undefined
};
[[nodiscard]] ClipTable choose_clips(const io::ClipSource& source, std::int64_t count,
                                     std::uint64_t seed);

}  // namespace eflow::trainer

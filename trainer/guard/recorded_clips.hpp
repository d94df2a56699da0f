#pragma once
// RecordedClips: the clips of one training step, read into memory, in place of the source that they
// came from. A trainer that reads them instead of the data set repeats the step.

#include <cstdint>
#include <string>
#include <vector>

#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {

/// Thread-safe once it is filled.
class RecordedClips final : public io::ClipSource {
 public:
  /// Reads from `source` the clips that `clips` names of source number `number`. Throws what the
  /// source throws.
  RecordedClips(const io::ClipSource& source, const std::vector<StepClip>& clips,
                std::size_t number);
  /// Reads what arrays() wrote. Throws CorruptData naming the array.
  RecordedClips(const io::SafetensorsFile& file, std::size_t number);

  /// The clips as named arrays, which refer to this object.
  [[nodiscard]] std::vector<io::ArrayToStore> arrays(std::size_t number) const;

  [[nodiscard]] std::int64_t size() const override { return size_; }  ///< of the whole source
  [[nodiscard]] Shape clip_shape() const override { return shape_; }
  [[nodiscard]] std::int64_t class_count() const override { return classes_; }
  /// Throws InvalidArgument for a clip that is not recorded.
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  [[nodiscard]] Shape context_shape() const override { return context_shape_; }
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override;
  void read_null_context(std::span<float> context) const override;

  /// Indices of the recorded clips, in the order of the batch.
  [[nodiscard]] const std::vector<std::int64_t>& indices() const { return indices_; }
  /// The recorded values, clip after clip.
  [[nodiscard]] std::span<const float> values() const { return values_; }

 private:
  /// Position of the record of this clip, with this draw if it is not null.
  [[nodiscard]] std::size_t find(std::int64_t index, const std::uint64_t* draw) const;

  std::int64_t size_ = 0, classes_ = 0;
  Shape shape_ = {}, context_shape_ = {};
  std::vector<std::int64_t> indices_ = {}, labels_ = {}, facts_ = {};
  std::vector<std::uint64_t> draws_ = {};
  std::vector<float> values_ = {}, contexts_ = {}, null_context_ = {};
};

}  // namespace eflow::trainer

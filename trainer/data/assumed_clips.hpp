#pragma once
// Clips where there are no data: their format from data.clip, and random values.

#include <cstdint>
#include <span>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/trainer/config/clip_format.hpp"
#include "eflow/trainer/config/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Tokens of a text where neither data.context_length nor a data set says so: Wan's.
inline constexpr std::int64_t kUsualTextLength = 512;

/// The clip format of data.clip ("CxTxHxW"), with the classes and context of model.preset; text that
/// only model.condition asks for is assumed to be as wide as UMT5's. Throws InvalidArgument naming
/// data.clip.
[[nodiscard]] ClipFormat assumed_format(const Config& config);

/// Clips of that format with values uniform in [-1, 1], each a pure function of its index; labels
/// go round the classes.
class AssumedClips final : public io::ClipSource {
 public:
  /// Throws what assumed_format() throws.
  explicit AssumedClips(const Config& config);

  [[nodiscard]] std::int64_t size() const override { return 1024; }
  [[nodiscard]] Shape clip_shape() const override { return format_.shape(); }
  [[nodiscard]] std::int64_t class_count() const override { return format_.classes; }
  [[nodiscard]] Shape context_shape() const override;
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override;

 private:
  ClipFormat format_;
  std::int64_t text_length_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

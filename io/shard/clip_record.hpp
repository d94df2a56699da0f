#pragma once
// ClipRecord: one clip to pack, with its label, captions and source.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// One caption of a clip, as one of several wordings.
struct CaptionRecord {
  std::string text{};                  ///< UTF-8
  std::int64_t rows = 0;               ///< tokens, without padding
  std::vector<std::byte> embedding{};  ///< [rows, E] of the data set's text dtype
};

/// A caption whose embedding is stored in `dtype`, bf16 or f32. Throws InvalidArgument, naming the
/// caption, for a value that is not finite.
[[nodiscard]] CaptionRecord make_caption(std::string text, std::int64_t rows,
                                         std::span<const float> values, DType dtype);

struct ClipRecord {
  std::span<const std::byte> clip{};      ///< [C, T, H, W] of the stored dtype
  std::int32_t label = 0;                 ///< 0 without classes
  std::vector<CaptionRecord> captions{};  ///< at least one if the data set has text, otherwise none
  /// Where the clip came from, if the data set records sources.
  std::string source{};                            ///< a file name or key, UTF-8
  std::int64_t width = 0, height = 0, frames = 0;  ///< of the original; 0: unknown
  double fps = 0;                                  ///< of the original; 0: unknown
};

}  // namespace eflow::io

EFLOW_EXPORT_END

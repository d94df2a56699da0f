#pragma once
// CosineBasis: an orthonormal cosine basis (type-II DCT) over the frames, height and width of a
// clip, applied to each channel. The coordinates of a video-like random field are independent in
// this basis, while each element of the clip depends on all coordinates of its channel.

#include <span>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

class CosineBasis {
 public:
  /// clip: [C, T, H, W]. Throws ShapeError for any other rank.
  explicit CosineBasis(const Shape& clip);

  /// Transforms C*T*H*W values in place, to coordinates and back. Throws ShapeError for another
  /// number of values.
  void to_coordinates(std::span<double> clip) const { transform(clip, false); }
  void to_clip(std::span<double> coordinates) const { transform(coordinates, true); }

  [[nodiscard]] std::int64_t size() const { return element_count(shape_); }
  /// Returns |k|^2 of coordinate i, where k counts half waves over time, height and width.
  [[nodiscard]] double frequency(std::int64_t i) const;
  /// True if coordinate i has at most one half wave along each axis: 8 coordinates per channel.
  [[nodiscard]] bool is_slow(std::int64_t i) const;
  /// Half waves along each axis.
  struct Waves {
    std::int64_t t = 0, h = 0, w = 0;
  };
  [[nodiscard]] Waves waves(std::int64_t i) const;

 private:
  void transform(std::span<double> values, bool back) const;
  Shape shape_;
  std::vector<std::vector<double>> axes_;  ///< basis of T, H and W, each [k][position]
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END

#pragma once
// An orthonormal cosine basis over the time, height and width of a clip (type-II DCT), each channel
// alone. In it a video-like field has independent coordinates, while every element of the clip
// depends on all of them.

#include <span>
#include <vector>

#include "eflow/base/shape.hpp"

namespace eflow::soflow {

class CosineBasis {
 public:
  /// clip [C, T, H, W]. Throws ShapeError for another rank.
  explicit CosineBasis(const Shape& clip);

  /// Coordinates of a clip and back, in place; both C*T*H*W values.
  void to_coordinates(std::span<double> clip) const { transform(clip, false); }
  void to_clip(std::span<double> coordinates) const { transform(coordinates, true); }

  [[nodiscard]] std::int64_t size() const { return element_count(shape_); }
  /// |k|^2 of coordinate i: half waves over time, height and width.
  [[nodiscard]] double frequency(std::int64_t i) const;
  /// At most one half wave along each axis: 8 coordinates of a channel.
  [[nodiscard]] bool is_slow(std::int64_t i) const;
  /// Half waves of coordinate i over time, height and width.
  struct Waves {
    std::int64_t t, h, w;
  };
  [[nodiscard]] Waves waves(std::int64_t i) const;

 private:
  void transform(std::span<double> values, bool back) const;
  Shape shape_;
  std::vector<std::vector<double>> axes_;  ///< of T, H, W: [k][position]
};

}  // namespace eflow::soflow

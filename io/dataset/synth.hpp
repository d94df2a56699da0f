#pragma once
// A procedural set of labelled, looping clips that a small model learns in minutes: 9 classes
// {disc, square, star} x {pulse, bob, sway}, each in 48 colourings, 6 paints (fill and core) x 8
// backgrounds.

#include <array>
#include <cstdint>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// Which of the 48 colour combinations to use: the 42 for training, the 6 held out (chosen by the
/// seed), or all.
enum class SynthSplit { kTrain, kHeldOut, kAll };

struct SynthOptions {
  int frames = 8;  ///< T, the period of the motion; 2 to 256
  int size = 32;   ///< H = W in pixels; 8 to 512
  std::uint64_t seed = 0;
  SynthSplit split = SynthSplit::kTrain;
};

/// Clips have shape [3, T, size, size] and values in [-1, 1]. Each is a pure function of (options,
/// index), with label index % 9.
class SynthShapes final : public ClipSource {
 public:
  /// Throws InvalidArgument if frames or size is out of range.
  explicit SynthShapes(SynthOptions options = {});

  [[nodiscard]] std::int64_t size() const override;  ///< 9 per colour combination: 378, 54 or 432
  [[nodiscard]] Shape clip_shape() const override;
  [[nodiscard]] std::int64_t class_count() const override { return 9; }
  [[nodiscard]] std::vector<std::string> class_names() const override;
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;

 private:
  SynthOptions options_;
  std::vector<int> combinations_;  // colour combinations of the split, in shuffled order
};

}  // namespace eflow::io

EFLOW_EXPORT_END

#pragma once
// A procedural set of labelled, looping clips that a small model learns in minutes: 9 classes
// {disc, square, star} x {pulse, bob, sway}, and 6 paints (fill and core) x 8 backgrounds in each.

#include <array>
#include <cstdint>
#include <vector>

#include "eflow/io/clip_source.hpp"

namespace eflow::io {

/// Which colour combinations: those to train on, every eighth held out (by a shuffle of the seed),
/// or all 48.
enum class SynthSplit { kTrain, kHeldOut, kAll };

struct SynthOptions {
  int frames = 8;  ///< T; the motion closes after them. >= 2
  int size = 32;   ///< H = W in pixels. 8..512
  std::uint64_t seed = 0;
  SynthSplit split = SynthSplit::kTrain;
};

/// Clips are [3, T, size, size] in [-1, 1]; a pure function of (options, index). Label = index % 9.
class SynthShapes final : public ClipSource {
 public:
  /// Throws InvalidArgument for sizes out of range.
  explicit SynthShapes(SynthOptions options = {});

  [[nodiscard]] std::int64_t size() const override;  ///< 9 * colour combinations: 378, 54 or 432
  [[nodiscard]] Shape clip_shape() const override;
  [[nodiscard]] std::int64_t class_count() const override { return 9; }
  [[nodiscard]] std::vector<std::string> class_names() const override;
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  [[nodiscard]] const SynthOptions& options() const { return options_; }

 private:
  SynthOptions options_;
  std::vector<int> combinations_;  // colour combinations of the split, in their order
};

}  // namespace eflow::io

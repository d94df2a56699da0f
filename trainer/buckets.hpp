#pragma once
// Buckets: clips of other lengths or resolutions that a run trains on beside those of data.dir,
// each with a share of the steps. Images are clips of one frame. A step's batch comes from one
// bucket, so all its clips have one shape.

#include <memory>
#include <string>
#include <vector>

#include "eflow/io/clip_source.hpp"

namespace eflow::trainer {

/// One entry of data.buckets.
struct BucketSpec {
  std::string dir;          ///< a packed data set; "": the run's own clips
  std::int64_t frames = 0;  ///< cut from each clip; 0: all
  double share = 0;         ///< of the steps
};

/// "DIR[@FRAMES]:SHARE, ...": "@1:0.1" gives a tenth of the steps to single frames of the run's own
/// clips. Throws InvalidArgument naming data.buckets.
[[nodiscard]] std::vector<BucketSpec> parse_buckets(const std::string& text);

/// The first spec.frames frames of a clip of this shape [C, T, H, W]. Throws InvalidArgument.
[[nodiscard]] Shape cut_shape(const BucketSpec& spec, const Shape& clip);

/// Consecutive frames of each clip of another source, which must outlive it. Where in the clip they
/// begin goes through all places as the clip's index does.
class FramesOfSource final : public io::ClipSource {
 public:
  /// Throws InvalidArgument where the clips have fewer frames.
  FramesOfSource(const io::ClipSource* whole, std::int64_t frames);
  [[nodiscard]] std::int64_t size() const override { return whole_->size(); }
  [[nodiscard]] Shape clip_shape() const override { return shape_; }
  [[nodiscard]] std::int64_t class_count() const override { return whole_->class_count(); }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  [[nodiscard]] Shape context_shape() const override { return whole_->context_shape(); }
  void read_context(std::int64_t index, std::span<float> context) const override {
    whole_->read_context(index, context);
  }

 private:
  const io::ClipSource* whole_;
  Shape shape_;
};

/// An open bucket.
struct Bucket {
  std::unique_ptr<io::ClipSource> set, cut;  ///< what is open for it
  const io::ClipSource* source = nullptr;
  double share = 0;
};

/// Opens them; `own` are the run's clips and must outlive the result. Throws DataError where one is
/// absent or differs from `own` in channels, classes or context.
[[nodiscard]] std::vector<Bucket> open_buckets(const std::vector<BucketSpec>& specs,
                                               const io::ClipSource& own);

}  // namespace eflow::trainer

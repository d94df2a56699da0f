#pragma once
// Buckets: additional clips, of other lengths or resolutions than those of data.dir, each taking a
// fixed share of every batch. A single image is a clip of one frame. Clips of one shape go through
// the network together.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eflow/io/dataset/clip_source.hpp"

namespace eflow::trainer {

/// One entry of data.buckets.
struct BucketSpec {
  std::string dir = {};     ///< a packed data set; empty: the run's own clips
  std::int64_t frames = 0;  ///< consecutive frames cut from each clip; 0: the whole clip
  /// Only the first frame: of latents of a causal video encoder, only that encodes an image.
  bool first = false;
  double share = 0;  ///< fraction of every batch
};

/// Parses "DIR[@FRAMES]:SHARE, ...": "@1:0.1" makes a tenth of every batch single frames of the
/// run's own clips, "@first:0.1" their first frames. Throws InvalidArgument naming data.buckets.
[[nodiscard]] std::vector<BucketSpec> parse_buckets(const std::string& text);

/// Shape of the bucket's clips if cut from clips of shape `clip` [C, T, H, W]. Throws
/// InvalidArgument if spec.frames exceeds T.
[[nodiscard]] Shape cut_shape(const BucketSpec& spec, const Shape& clip);

/// A run of consecutive frames of each clip of another source, which must outlive it. The first
/// frame is the clip's index modulo the number of possible start frames, so that the cuts cover the
/// whole length of the clips, or frame 0 if `first`. Thread-safe if the wrapped source is.
class FramesOfSource final : public io::ClipSource {
 public:
  /// Throws InvalidArgument if the clips of `whole` are shorter than `frames`.
  FramesOfSource(const io::ClipSource* whole, std::int64_t frames, bool first = false);
  [[nodiscard]] std::int64_t size() const override { return whole_->size(); }
  [[nodiscard]] Shape clip_shape() const override { return shape_; }
  [[nodiscard]] std::int64_t class_count() const override { return whole_->class_count(); }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  [[nodiscard]] Shape context_shape() const override { return whole_->context_shape(); }
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override {
    whole_->read_context(index, draw, context);
  }
  void read_null_context(std::span<float> context) const override {
    whole_->read_null_context(context);
  }

 private:
  const io::ClipSource* whole_;
  Shape shape_;
  bool first_;
};

/// An open bucket. Owns the sources it had to open; `source` is the one to read.
struct Bucket {
  std::unique_ptr<io::ClipSource> set = {};  ///< the data set of BucketSpec::dir, if any
  std::unique_ptr<io::ClipSource> cut = {};  ///< its frames, if BucketSpec::frames > 0
  const io::ClipSource* source = nullptr;
  double share = 0;
};

/// Puts a source around the data set of a folder.
using WrapSource = std::function<std::unique_ptr<io::ClipSource>(std::unique_ptr<io::ClipSource>,
                                                                 const std::string& dir)>;

/// Opens the buckets. `own` holds the run's clips and must outlive the result. `wrap`, unless it is
/// empty, is called for each data set that is opened. Throws DataError if a data set is missing or
/// differs from `own` in channels, classes or context.
[[nodiscard]] std::vector<Bucket> open_buckets(const std::vector<BucketSpec>& specs,
                                               const io::ClipSource& own,
                                               std::int64_t context_length = 0,
                                               const WrapSource& wrap = {});

}  // namespace eflow::trainer

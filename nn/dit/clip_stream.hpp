#pragma once
// ClipStream: runs a chunk-causal network one chunk of frames after another. A sampler may evaluate
// the current chunk any number of times. remember() stores the finished chunk and advances to the
// next.
//
//   nn::ClipStream stream(model, condition);
//   while (!stream.done()) {
//     Tensor x = ... noise of stream.next_shape(batch) ...;
//     x = x - stream(x, t, s) ...;
//     stream.remember(x);
//   }

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/video_dit.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Returns the number of token frames of each chunk: 1 for the first chunk, then `chunk` each; the
/// last chunk has the remainder. Throws InvalidArgument unless both arguments are positive.
[[nodiscard]] std::vector<std::int64_t> chunk_lengths(std::int64_t frames, std::int64_t chunk);

class ClipStream {
 public:
  /// Streams clips of `frames` frames, of any length, which 0 stands for model.config()'s; height
  /// and width are the config's. The model must outlive the stream. Throws InvalidArgument if the
  /// model has no chunks (DiTConfig::chunk_frames = 0), if the patch does not divide `frames`, or if
  /// a position table ends before them.
  ClipStream(const VideoDiT& model, Condition condition, std::int64_t frames = 0);

  /// Shape of the next chunk, [B, C, frames, H, W].
  [[nodiscard]] Shape next_shape(std::int64_t batch) const;
  /// First frame of the next chunk in the clip.
  [[nodiscard]] std::int64_t first_frame() const { return token_frame_ * model_.config().patch.t; }
  [[nodiscard]] std::int64_t chunk() const { return chunk_; }
  [[nodiscard]] bool done() const { return chunk_ == static_cast<std::int64_t>(lengths_.size()); }

  /// Returns F(x, t, s) of the next chunk, x [B, C, frames, H, W]. Differentiable within the chunk;
  /// no gradient flows to earlier chunks. Throws ShapeError for another shape, InvalidArgument if
  /// done().
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& t, const Tensor& s) const;
  /// Stores the finished chunk x (time 0) and advances. Not recorded by autograd. Throws like
  /// operator().
  void remember(const Tensor& x);

 private:
  [[nodiscard]] Tensor run(const Tensor& x, const Tensor& t, const Tensor& s,
                           std::vector<LayerStream>* layers) const;

  const VideoDiT& model_;
  Condition condition_;
  std::vector<std::int64_t> lengths_;
  std::vector<LayerStream> layers_;
  std::int64_t token_frames_ = 0;  ///< of the clip
  std::int64_t chunk_ = 0, token_frame_ = 0;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

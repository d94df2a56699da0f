#pragma once
// ClipStream: a chunk-causal network fed one chunk of frames after the other. A chunk is evaluated
// as often as a sampler likes; once it is finished the stream remembers it, and goes on.
//
//   nn::ClipStream stream(model, condition);
//   while (!stream.done()) {
//     Tensor x = ... noise of stream.next_shape(batch) ...;
//     x = x - stream(x, t, s) ...;
//     stream.remember(x);
//   }

#include "eflow/nn/video_dit.hpp"

namespace eflow::nn {

/// Frames of each chunk of tokens: the first frame alone, then `chunk` at a time, the last chunk what
/// is left. Throws InvalidArgument unless both are positive.
[[nodiscard]] std::vector<std::int64_t> chunk_lengths(std::int64_t frames, std::int64_t chunk);

class ClipStream {
 public:
  /// Clips of the model's own size. The model must outlive the stream. Throws InvalidArgument where
  /// the model has no chunks.
  ClipStream(const VideoDiT& model, Condition condition);

  /// [B, C, frames, H, W] of the next chunk.
  [[nodiscard]] Shape next_shape(std::int64_t batch) const;
  /// Where its frames begin in the clip.
  [[nodiscard]] std::int64_t first_frame() const { return token_frame_ * model_.config().patch.t; }
  [[nodiscard]] std::int64_t chunk() const { return chunk_; }
  [[nodiscard]] bool done() const { return chunk_ == static_cast<std::int64_t>(lengths_.size()); }

  /// F(x, t, s) of the next chunk, x [B, C, frames, H, W]. Differentiable, but not into the past.
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& t, const Tensor& s) const;
  /// The next chunk is finished: x as of time 0. Nothing is recorded.
  void remember(const Tensor& x);

 private:
  [[nodiscard]] Tensor run(const Tensor& x, const Tensor& t, const Tensor& s,
                           std::vector<LayerStream>* layers) const;

  const VideoDiT& model_;
  Condition condition_;
  std::vector<std::int64_t> lengths_;
  std::vector<LayerStream> layers_;
  std::int64_t chunk_ = 0, token_frame_ = 0;
};

}  // namespace eflow::nn

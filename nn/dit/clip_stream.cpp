#include "eflow/nn/dit/clip_stream.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/dit/context_memory.hpp"

namespace eflow::nn {

std::vector<std::int64_t> chunk_lengths(std::int64_t frames, std::int64_t chunk) {
  if (frames < 1 || chunk < 1) {
    throw InvalidArgument(str("[chunks] found ", frames, " frames in chunks of ", chunk,
                              "; expected positive numbers"));
  }
  std::vector<std::int64_t> lengths = {1};
  for (std::int64_t left = frames - 1; left > 0; left -= chunk)
    lengths.push_back(std::min(left, chunk));
  return lengths;
}

ClipStream::ClipStream(const VideoDiT& model, Condition condition, std::int64_t frames)
    : model_(model), condition_(std::move(condition)) {
  const DiTConfig& config = model.config();
  if (config.chunk_frames == 0) {
    throw InvalidArgument(
        "[clip_stream] the model is not chunk-causal; build it with chunk_frames above 0");
  }
  if (frames == 0) frames = config.frames;
  if (frames < 0 || frames % config.patch.t != 0) {
    throw InvalidArgument(str("[clip_stream] expected a multiple of the patch's ", config.patch.t,
                              " frames, found ", frames));
  }
  if (config.position_table && frames > config.frames) {
    throw InvalidArgument(str("[clip_stream] the model's position table ends after ", config.frames,
                              " frames; expected at most as many, found ", frames,
                              "; only a model without a table (position_table = false) streams "
                              "longer clips"));
  }
  token_frames_ = frames / config.patch.t;
  lengths_ = chunk_lengths(token_frames_, config.chunk_frames);
  if (condition_.context.defined() && condition_.context_memory == nullptr)
    condition_.context_memory = std::make_shared<ContextMemory>(condition_.context);
  layers_.resize(static_cast<std::size_t>(config.blocks()));
}

Shape ClipStream::next_shape(std::int64_t batch) const {
  const DiTConfig& c = model_.config();
  const std::int64_t length = lengths_.at(static_cast<std::size_t>(chunk_));
  return {batch, c.channels, length * c.patch.t, c.height, c.width};
}

Tensor ClipStream::run(const Tensor& x, const Tensor& t, const Tensor& s,
                       std::vector<LayerStream>* layers) const {
  if (done()) throw InvalidArgument("[clip_stream] the clip is finished");
  const Shape expected = next_shape(x.size(0));
  if (x.shape() != expected)
    throw ShapeError(str("[clip_stream] chunk ", chunk_, ": expected ", expected, ", found ", x));
  return model_.chunk(x, t, s, condition_, {token_frame_, token_frames_}, layers);
}

Tensor ClipStream::operator()(const Tensor& x, const Tensor& t, const Tensor& s) const {
  std::vector<LayerStream> layers = layers_;
  for (LayerStream& layer : layers) layer.remember = false;
  return run(x, t, s, &layers);
}

void ClipStream::remember(const Tensor& x) {
  const NoGrad off;
  const Tensor zero = Tensor::zeros({x.size(0)}, x.dtype(), x.device());
  for (LayerStream& layer : layers_) layer.remember = true;
  static_cast<void>(run(x.detach(), zero, zero, &layers_));
  token_frame_ += lengths_[static_cast<std::size_t>(chunk_)];
  ++chunk_;
}

}  // namespace eflow::nn

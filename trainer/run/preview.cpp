#include "eflow/trainer/run/preview.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/media/contact_sheet.hpp"
#include "eflow/io/media/png.hpp"
#include "eflow/io/media/webp.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"

namespace eflow::trainer {
namespace {

/// What to show: colours if there is a map to them, otherwise the first three channels if there are
/// as many, otherwise the first.
GeneratedClips visible(const GeneratedClips& clips, const io::LatentRgb& rgb) {
  if (rgb.defined()) {
    GeneratedClips coloured{.shape = clips.shape, .values = rgb.apply(clips.values, clips.shape)};
    coloured.shape[1] = 3;
    return coloured;
  }
  const std::int64_t channels = clips.shape[1], shown = channels >= 3 ? 3 : 1;
  if (channels == shown) return clips;
  GeneratedClips part;
  part.shape = clips.shape;
  part.shape[1] = shown;
  const std::int64_t plane = clips.shape[2] * clips.shape[3] * clips.shape[4];
  for (std::int64_t n = 0; n < clips.shape[0]; ++n) {
    const auto begin = clips.values.begin() + n * channels * plane;
    part.values.insert(part.values.end(), begin, begin + shown * plane);
  }
  return part;
}

}  // namespace

void write_pictures(const GeneratedClips& clips, double fps, const std::filesystem::path& sheet_png,
                    const std::filesystem::path& clips_webp, const io::LatentRgb& rgb) {
  const GeneratedClips shown = visible(clips, rgb);
  io::write_png(sheet_png, io::contact_sheet(shown.values, shown.shape));
  io::write_webp(clips_webp, io::montage(shown.values, shown.shape), {.ms_per_frame = 1000 / fps});
}

GeneratedClips preview_clips(const nn::VideoDiT& model, const Config& config, const DataInfo& data,
                             const Tensor& contexts, std::int64_t first, std::int64_t count) {
  if (count == 0) return {};
  SampleRequest request;
  if (contexts.defined()) {
    request.context = [&](std::int64_t begin, std::int64_t length) {
      return narrow(contexts, 0, first + begin, length);
    };
  }
  if (data.clips.context_dim > 0) request.null_context = null_context_of(data);
  const auto labels = cycle_labels(config.sample.count, data.clips.classes);
  request.labels.assign(labels.begin() + first, labels.begin() + first + count);
  request.first_id = first;
  request.steps = static_cast<int>(config.sample.steps);
  request.sampler = config.sample.sampler;
  request.shift = config.sample.shift;
  request.guidance = config.sample.guidance;
  request.seed = config.sample.seed;
  request.stream = is_causal(config);
  return *sample_clips(model, request);
}

}  // namespace eflow::trainer

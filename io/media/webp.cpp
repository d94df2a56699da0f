#include "eflow/io/media/webp.hpp"

#include <webp/encode.h>
#include <webp/mux.h>

#include <cmath>
#include <memory>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

constexpr int kMaxSide = 16383;  // limit of the WebP format

void check_frames(std::span<const Image> frames, const std::string& path) {
  if (frames.empty()) throw InvalidArgument(str("[webp] ", path, ": no frames"));
  const Image& first = frames.front();
  for (const Image& f : frames) {
    const auto bytes = static_cast<std::size_t>(f.width) * static_cast<std::size_t>(f.height) * 3;
    if (f.width != first.width || f.height != first.height || f.rgb.size() != bytes ||
        f.width < 1 || f.height < 1 || f.width > kMaxSide || f.height > kMaxSide) {
      throw InvalidArgument(str("[webp] ", path, ": a frame has ", f.width, " x ", f.height,
                                " pixels, the first ", first.width, " x ", first.height,
                                "; all must have one size of 1 to ", kMaxSide, " per side"));
    }
  }
}

/// A WebPPicture that frees its library-owned memory.
struct Picture : WebPPicture {
  Picture() {
    if (!WebPPictureInit(this)) throw Error("[webp] library version mismatch");
  }
  ~Picture() { WebPPictureFree(this); }
  Picture(const Picture&) = delete;
  Picture& operator=(const Picture&) = delete;
};

using Encoder = std::unique_ptr<WebPAnimEncoder, decltype(&WebPAnimEncoderDelete)>;

void add_frame(const Encoder& encoder, const Image& image, int start_ms, const WebPConfig& config,
               const std::string& path) {
  Picture picture;
  picture.use_argb = 1;
  picture.width = image.width;
  picture.height = image.height;
  if (!WebPPictureImportRGB(&picture, image.rgb.data(), image.width * 3) ||
      !WebPAnimEncoderAdd(encoder.get(), &picture, start_ms, &config)) {
    throw Error(str("[webp] ", path, ": ", WebPAnimEncoderGetError(encoder.get())));
  }
}

WebPConfig make_config(const WebpOptions& options) {
  WebPConfig config;
  if (!WebPConfigInit(&config)) throw Error("[webp] library version mismatch");
  config.quality = options.quality;
  if (!WebPValidateConfig(&config)) {
    throw InvalidArgument(str("[webp] quality ", options.quality, " is not in 0 to 100"));
  }
  // Of 64 clips, level 0 takes a twentieth of the usual level's time for files a third larger.
  if (options.lossless) WebPConfigLosslessPreset(&config, 0);
  return config;
}

}  // namespace

void write_webp(const std::filesystem::path& path, std::span<const Image> frames,
                const WebpOptions& options) {
  check_frames(frames, path.string());
  if (!(options.ms_per_frame >= 1) || options.ms_per_frame > 60000 || options.loops < 0 ||
      options.loops > 65535) {
    throw InvalidArgument(str("[webp] ", options.ms_per_frame, " ms per frame, ", options.loops,
                              " loops; expected 1 to 60000 and 0 to 65535"));
  }
  const WebPConfig config = make_config(options);
  WebPAnimEncoderOptions animation;
  if (!WebPAnimEncoderOptionsInit(&animation)) throw Error("[webp] library version mismatch");
  animation.anim_params.loop_count = options.loops;
  const Encoder encoder(WebPAnimEncoderNew(frames.front().width, frames.front().height, &animation),
                        &WebPAnimEncoderDelete);
  if (!encoder) throw Error("[webp] cannot allocate the encoder");
  // Rounding each time stamp separately keeps errors from accumulating.
  const auto time_of = [&](std::size_t i) {
    return static_cast<int>(std::lround(static_cast<double>(i) * options.ms_per_frame));
  };
  for (std::size_t i = 0; i < frames.size(); ++i) {
    add_frame(encoder, frames[i], time_of(i), config, path.string());
  }
  WebPData data;
  WebPDataInit(&data);
  const std::unique_ptr<WebPData, decltype(&WebPDataClear)> owner(&data, &WebPDataClear);
  if (!WebPAnimEncoderAdd(encoder.get(), nullptr, time_of(frames.size()), nullptr) ||
      !WebPAnimEncoderAssemble(encoder.get(), &data)) {
    throw Error(str("[webp] ", path.string(), ": ", WebPAnimEncoderGetError(encoder.get())));
  }
  write_file_atomically(path, std::as_bytes(std::span(data.bytes, data.size)));
}

}  // namespace eflow::io

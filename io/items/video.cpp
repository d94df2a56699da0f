#include "eflow/io/items/video.hpp"

#include "eflow/core/base/error.hpp"

#ifdef EFLOW_LIBAV
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cmath>
#endif

namespace eflow::io {

#ifdef EFLOW_LIBAV

namespace {

constexpr int kMaxSide = 16384;

std::string text_of(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  return text;
}

struct Freed {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Freed>;

}  // namespace

struct VideoReader::Rep {
  std::string path;
  Owned<AVFormatContext> format;
  Owned<AVCodecContext> codec;
  Owned<AVFrame> frame{av_frame_alloc()};
  Owned<AVPacket> packet{av_packet_alloc()};
  Owned<SwsContext> scaler;
  AVStream* stream = nullptr;
  FrameSize out, scaled;
  int source_width = 0, source_height = 0, source_format = -1;  // of the scaler
  std::vector<std::uint8_t> picture;                            // scaled, before the crop
  bool draining = false;
  double last_seconds = 0;

  [[noreturn]] void refuse(const std::string& what, int code) const {
    throw CorruptData(str("[video] ", path, ": ", what, ": ", text_of(code)));
  }
  void open();
  void prepare_scaler();
  bool receive();
};

void VideoReader::Rep::open() {
  AVFormatContext* raw = nullptr;
  AVDictionary* options = nullptr;
  // Files alone: a playlist in disguise must not open other files or addresses.
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  const int opened = avformat_open_input(&raw, ("file:" + path).c_str(), nullptr, &options);
  av_dict_free(&options);
  if (opened < 0) refuse("not a video", opened);
  format.reset(raw);
  if (const int code = avformat_find_stream_info(raw, nullptr); code < 0)
    refuse("no streams", code);
  const AVCodec* decoder = nullptr;
  const int number = av_find_best_stream(raw, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
  if (number < 0 || !decoder) refuse("no video stream that can be decoded", number);
  stream = raw->streams[number];
  codec.reset(avcodec_alloc_context3(decoder));
  if (!codec || !frame || !packet) throw IoError(str("[video] ", path, ": out of memory"));
  if (const int code = avcodec_parameters_to_context(codec.get(), stream->codecpar); code < 0)
    refuse("bad parameters", code);
  codec->max_pixels = std::int64_t{kMaxSide} * kMaxSide;
  codec->thread_count = 1;  // several files may be read by several processes
  if (const int code = avcodec_open2(codec.get(), decoder, nullptr); code < 0)
    refuse("cannot decode", code);
  if (codec->width < 1 || codec->height < 1 || codec->width > kMaxSide || codec->height > kMaxSide)
    throw InvalidArgument(str("[video] ", path, ": frames of ", codec->width, " x ", codec->height,
                              " pixels; expected 1 to ", kMaxSide, " a side"));
  if (out.width == 0) out = {codec->width, codec->height};
}

/// Frames may change their size or format in the middle of a stream.
void VideoReader::Rep::prepare_scaler() {
  const AVFrame& in = *frame;
  if (scaler && in.width == source_width && in.height == source_height &&
      in.format == source_format)
    return;
  if (in.width < 1 || in.height < 1 || in.width > kMaxSide || in.height > kMaxSide)
    throw CorruptData(str("[video] ", path, ": a frame of ", in.width, " x ", in.height));
  source_width = in.width, source_height = in.height, source_format = in.format;
  const double factor = std::max(static_cast<double>(out.width) / in.width,
                                 static_cast<double>(out.height) / in.height);
  scaled = {std::max(out.width, static_cast<std::int64_t>(std::lround(in.width * factor))),
            std::max(out.height, static_cast<std::int64_t>(std::lround(in.height * factor)))};
  if (scaled.width > 4 * kMaxSide || scaled.height > 4 * kMaxSide)
    throw CorruptData(str("[video] ", path, ": a frame of ", in.width, " x ", in.height,
                          " cannot be scaled to ", out.width, " x ", out.height));
  scaler.reset(sws_getContext(in.width, in.height, static_cast<AVPixelFormat>(in.format),
                              static_cast<int>(scaled.width), static_cast<int>(scaled.height),
                              AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT,
                              nullptr, nullptr, nullptr));
  if (!scaler) throw CorruptData(str("[video] ", path, ": pixels of an unknown format"));
  picture.resize(static_cast<std::size_t>(scaled.width * scaled.height * 3) + 64);
}

/// Decodes into `frame`; returns false at the end.
bool VideoReader::Rep::receive() {
  for (;;) {
    const int got = avcodec_receive_frame(codec.get(), frame.get());
    if (got == 0) return true;
    if (got == AVERROR_EOF) return false;
    if (got != AVERROR(EAGAIN)) refuse("a damaged frame", got);
    if (draining) return false;
    const int read = av_read_frame(format.get(), packet.get());
    if (read == AVERROR_EOF) {
      draining = true;
      avcodec_send_packet(codec.get(), nullptr);
      continue;
    }
    if (read < 0) refuse("reading", read);
    int sent = 0;
    if (packet->stream_index == stream->index)
      sent = avcodec_send_packet(codec.get(), packet.get());
    av_packet_unref(packet.get());
    if (sent < 0 && sent != AVERROR(EAGAIN)) refuse("a damaged packet", sent);
  }
}

bool has_videos() {
  return true;
}

VideoReader::VideoReader(const std::filesystem::path& path, FrameSize size)
    : rep_(std::make_unique<Rep>()) {
  if (!std::filesystem::is_regular_file(path))
    throw IoError(str("[video] ", path.string(), " is not a regular file"));
  av_log_set_level(AV_LOG_QUIET);
  rep_->path = path.string();
  rep_->out = size;
  rep_->open();
}

FrameSize VideoReader::size() const {
  return rep_->out;
}

FrameSize VideoReader::original() const {
  return {rep_->codec->width, rep_->codec->height};
}

double VideoReader::fps() const {
  const AVRational rate = av_guess_frame_rate(rep_->format.get(), rep_->stream, nullptr);
  return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

bool VideoReader::next(std::span<std::byte> rgb, double& seconds) {
  Rep& rep = *rep_;
  EFLOW_ASSERT(rgb.size() == static_cast<std::size_t>(rep.out.width * rep.out.height * 3));
  if (!rep.receive()) return false;
  rep.prepare_scaler();
  const int stride = static_cast<int>(rep.scaled.width * 3);
  std::uint8_t* planes[4] = {rep.picture.data()};
  int strides[4] = {stride};
  sws_scale(rep.scaler.get(), rep.frame->data, rep.frame->linesize, 0, rep.frame->height, planes,
            strides);
  const std::int64_t x = (rep.scaled.width - rep.out.width) / 2;
  const std::int64_t y = (rep.scaled.height - rep.out.height) / 2;
  const auto row = static_cast<std::size_t>(rep.out.width * 3);
  for (std::int64_t i = 0; i < rep.out.height; ++i) {
    const auto* from = rep.picture.data() + (y + i) * stride + x * 3;
    std::transform(from, from + row, rgb.begin() + static_cast<std::ptrdiff_t>(row) * i,
                   [](std::uint8_t v) { return std::byte{v}; });
  }
  const std::int64_t stamp = rep.frame->best_effort_timestamp;
  const double rate = fps();
  seconds = stamp != AV_NOPTS_VALUE ? static_cast<double>(stamp) * av_q2d(rep.stream->time_base)
                                    : rep.last_seconds + (rate > 0 ? 1 / rate : 1);
  rep.last_seconds = seconds;
  return true;
}

#else

struct VideoReader::Rep {};

bool has_videos() {
  return false;
}

VideoReader::VideoReader(const std::filesystem::path& path, FrameSize) {
  throw InvalidArgument(str("[video] cannot decode ", path.string(),
                            ": this eflow was built without libav. Install libavformat-dev, "
                            "libavcodec-dev and libswscale-dev and build again, or convert the "
                            "video to .npy"));
}

FrameSize VideoReader::size() const {
  return {};
}

FrameSize VideoReader::original() const {
  return {};
}

double VideoReader::fps() const {
  return 0;
}

bool VideoReader::next(std::span<std::byte>, double&) {
  return false;
}

#endif

VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader::~VideoReader() = default;

}  // namespace eflow::io

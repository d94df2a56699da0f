#include "eflow/io/items/video_source.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/io/items/file_source.hpp"
#include "eflow/io/items/video.hpp"

namespace eflow::io {
namespace fs = std::filesystem;

/// The video being cut.
struct VideoSource::Open {
  Open(const fs::path& path, FrameSize size) : video(path, size) {}

  VideoReader video;
  Item about{};                ///< what all its clips share
  std::deque<Frame> frames{};  ///< of the clip being filled
  std::int64_t clips = 0, decoded = 0;
  // Resampling: `ahead` is the next decoded frame; `current` the one before it.
  Frame current{}, ahead{};
  double current_seconds = 0, ahead_seconds = 0;
  double first_seconds = 0;
  bool has_current = false, has_ahead = false, ended = false;
  std::int64_t ticks = 0;  ///< frames given out
};

bool is_video(const fs::path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](char c) { return static_cast<char>(c | 32); });
  for (const char* known : {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg",
                            ".ogv", ".flv", ".wmv", ".gif", ".ts", ".y4m"})
    if (end == known) return true;
  return false;
}

VideoSource::VideoSource(fs::path root, std::vector<fs::path> files, VideoOptions options)
    : root_(std::move(root)), files_(std::move(files)), options_(options) {
  if (options.frames < 1 || options.overlap < 0 || options.overlap >= options.frames) {
    throw InvalidArgument(str("[video] clips of ", options.frames, " frames, of which ",
                              options.overlap,
                              " overlap; expected at least one frame, and a smaller overlap"));
  }
  if ((options.width == 0) != (options.height == 0))
    throw InvalidArgument("[video] give both width and height, or neither");
}

void VideoSource::rewind() {
  at_ = 0;
  open_.reset();
}

/// The next frame at the wanted rate; false at the end of the video.
bool VideoSource::next_frame(Frame& frame) {
  Open& open = *open_;
  const auto decode = [&](Frame& into, double& seconds) {
    const FrameSize size = open.video.size();
    into.resize(static_cast<std::size_t>(size.width * size.height * 3));
    const bool got = open.video.next(into, seconds);
    open.decoded += got;
    return got;
  };
  double seconds = 0;
  if (options_.fps == 0) return decode(frame, seconds);
  if (!open.has_current) {
    open.has_current = decode(open.current, open.current_seconds);
    if (!open.has_current) return false;
    open.first_seconds = open.current_seconds;
    open.has_ahead = decode(open.ahead, open.ahead_seconds);
  }
  const double wanted = open.first_seconds + static_cast<double>(open.ticks) / options_.fps;
  while (open.has_ahead &&
         std::abs(open.ahead_seconds - wanted) <= std::abs(open.current_seconds - wanted)) {
    std::swap(open.current, open.ahead);
    open.current_seconds = open.ahead_seconds;
    open.has_ahead = decode(open.ahead, open.ahead_seconds);
  }
  // Past the last frame, which lasts as long as those before it.
  const double rate = open.video.fps();
  const double end = open.current_seconds + (rate > 0 ? 1 / rate : 1 / options_.fps);
  if (!open.has_ahead && wanted >= end - 1e-9) return false;
  frame = open.current;
  ++open.ticks;
  return true;
}

/// Fills `item` with the next clip of the open video; false if there is none left.
bool VideoSource::next_of_video(Item& item) {
  Open& open = *open_;
  if (options_.clips_per_video > 0 && open.clips == options_.clips_per_video) return false;
  while (static_cast<std::int64_t>(open.frames.size()) < options_.frames) {
    Frame frame;
    if (!next_frame(frame)) {
      if (open.clips == 0) {
        throw InvalidArgument(str("it has ", open.frames.size(),
                                  options_.fps > 0 ? str(" frames at ", options_.fps, " frames/s")
                                                   : std::string(" frames"),
                                  ", fewer than a clip of ", options_.frames));
      }
      return false;
    }
    open.frames.push_back(std::move(frame));
  }
  item = open.about;
  item.source = str(open.about.source, "#", open.clips);
  const FrameSize size = open.video.size();
  item.clip = {Element::kU8, {options_.frames, size.height, size.width, 3}, {}};
  for (const Frame& frame : open.frames)
    item.clip.bytes.insert(item.clip.bytes.end(), frame.begin(), frame.end());
  for (std::int64_t i = options_.overlap; i < options_.frames; ++i) open.frames.pop_front();
  ++open.clips;
  return true;
}

bool VideoSource::next(Item& item) {
  for (;;) {
    if (!open_ && at_ == files_.size()) return false;
    const fs::path& path = files_[open_ ? at_ - 1 : at_++];
    const std::string source = fs::relative(path, root_).generic_string();
    try {
      if (!open_) {
        open_ = std::make_shared<Open>(path, FrameSize{options_.width, options_.height});
        Item& about = open_->about;
        about.source = source;
        about.layout = "THWC";
        add_side_files(path, about);
        const FrameSize original = open_->video.original();
        about.width = original.width, about.height = original.height;
        about.fps = options_.fps > 0 ? options_.fps : open_->video.fps();
        if (options_.class_by_folder) about.class_name = path.parent_path().filename().string();
      }
      if (next_of_video(item)) return true;
      open_.reset();
    } catch (const Error& error) {
      open_.reset();
      throw ItemFault(source, error.what());
    }
  }
}

}  // namespace eflow::io

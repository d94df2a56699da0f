#pragma once
// Decodes a video file frame by frame to RGB through libav. Internal to io. Without libav, opening
// one throws.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace eflow::io {

/// Whether this build decodes videos.
[[nodiscard]] bool has_videos();

/// How frames are brought to one size: scaled (bicubic) to cover width x height, then cropped at the
/// centre. 0 x 0: as they are.
struct FrameSize {
  std::int64_t width = 0, height = 0;
};

class VideoReader {
 public:
  /// Opens the first video stream. Throws IoError; CorruptData for a file that is none or damaged;
  /// InvalidArgument without libav, or for frames above 16384 pixels a side.
  VideoReader(const std::filesystem::path& path, FrameSize size);
  VideoReader(VideoReader&&) noexcept;
  ~VideoReader();

  /// Of the frames that next() returns, and of the original.
  [[nodiscard]] FrameSize size() const;
  [[nodiscard]] FrameSize original() const;
  [[nodiscard]] double fps() const;  ///< of the original; 0: unknown

  /// Decodes the next frame into `rgb`, [height, width, 3]; returns false at the end. `seconds` is
  /// its time. Throws CorruptData.
  bool next(std::span<std::byte> rgb, double& seconds);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace eflow::io

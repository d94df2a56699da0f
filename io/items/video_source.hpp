#pragma once
// Items from video files: clips of a fixed length and frame rate, cut one after another.

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "eflow/io/items/item.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct VideoOptions {
  std::int64_t width = 0, height = 0;  ///< of the clips, in pixels; 0: as the video
  std::int64_t frames = 16;            ///< of a clip
  double fps = 0;                      ///< of the clips; 0: every frame of the video
  std::int64_t overlap = 0;            ///< frames that a clip shares with the one before it
  std::int64_t clips_per_video = 0;    ///< at most; 0: all
  bool class_by_folder = false;        ///< a clip's class is the name of the video's folder
};

/// Cuts videos into clips. With `fps`, takes the frame nearest to each multiple of 1/fps, so slower
/// videos repeat frames. What is left at the end of a video and shorter than a clip is dropped; a
/// video that is shorter than one clip is a fault. Captions come from NAME.txt and NAME.json.
class VideoSource : public ItemSource {
 public:
  VideoSource(std::filesystem::path root, std::vector<std::filesystem::path> files,
              VideoOptions options);
  bool next(Item& item) override;
  void rewind() override;

 private:
  using Frame = std::vector<std::byte>;
  struct Open;

  bool next_of_video(Item& item);
  bool next_frame(Frame& frame);

  std::filesystem::path root_;
  std::vector<std::filesystem::path> files_;
  VideoOptions options_;
  std::size_t at_ = 0;  ///< of the next file
  std::shared_ptr<Open> open_;
};

/// Whether `path` ends like a video.
[[nodiscard]] bool is_video(const std::filesystem::path& path);

}  // namespace eflow::io

EFLOW_EXPORT_END

#include "eflow/trainer/program/data/item_flags.hpp"

#include <charconv>

#include "eflow/core/base/error.hpp"

namespace eflow::program {

using trainer::at_least;
using trainer::between;

std::vector<std::int64_t> parse_sizes(const std::string& key, const std::string& text,
                                      char separator, std::size_t count) {
  std::vector<std::int64_t> out;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (bool more = true; more;) {
    std::int64_t value = 0;
    const auto [next, code] = std::from_chars(at, end, value);
    if (code != std::errc() || value < 1 || value > 1 << 20) break;
    out.push_back(value);
    more = next != end && *next == separator;
    at = more ? next + 1 : next;
  }
  if (at == end && !text.empty() && out.size() == count) return out;
  throw InvalidArgument(str("--", key, ": expected ", count, " numbers with '", separator,
                            "' between them, found ", text));
}

std::vector<trainer::Option> ItemFlags::options() {
  return {
      {"latents", &latents,
       "Name of the array that holds the clip, in files with several; in HDF5 files a path such as "
       "/latents, whose first axis counts clips."},
      {"labels", &labels,
       "Name or path of the array of labels; for one .npy file of clips, another .npy file."},
      {"context", &context, "Name or path of the array of token embeddings of the captions."},
      {"class_by_folder", &class_by_folder,
       "The class of a clip is the name of the folder that holds its file."},
      {"size", &size,
       "WIDTHxHEIGHT to which videos are scaled and cropped, in pixels; default: as they are."},
      {"frames", &frames, at_least(1), "frames", "Length of the clips that videos are cut into."},
      {"overlap", &overlap, at_least(0), "frames",
       "Frames that a clip of a video shares with the clip before it."},
      {"clips_per_video", &clips_per_video, at_least(0), "clips",
       "Most clips to take of one video; 0: all."},
      {"fps", &fps, between(0, 1000), "frames/s",
       "Frame rate of the clips. Videos are resampled to it; 0: every frame of a video, and 8 for "
       "animations of other inputs."},
  };
}

io::OpenOptions ItemFlags::open_options(bool two_bytes_are_bf16) const {
  io::OpenOptions options;
  const bool labels_file = labels.ends_with(".npy");
  options.read.keys = {latents, context, labels_file ? "" : labels};
  options.read.two_bytes_are_bf16 = two_bytes_are_bf16;
  options.read.class_by_folder = class_by_folder;
  if (labels_file) options.labels = labels;
  options.video.class_by_folder = class_by_folder;
  options.video.frames = frames, options.video.overlap = overlap;
  options.video.clips_per_video = clips_per_video;
  options.video.fps = fps;
  if (!size.empty()) {
    const auto sides = parse_sizes("size", size, 'x', 2);
    options.video.width = sides[0], options.video.height = sides[1];
  }
  return options;
}

}  // namespace eflow::program

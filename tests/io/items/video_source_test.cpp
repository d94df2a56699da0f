// Clips from videos: which frames they have, at which rate and size, and what short or damaged videos
// do. The videos are YUV4MPEG files written here: grey frames whose luma is 16 + their number.
#define BOOST_TEST_MODULE video_source
#include "eflow/io/items/video_source.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/io/items/video.hpp"
#include "eflow/tests/io/item_files.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

constexpr int kWidth = 16, kHeight = 8;

void write_video(const fs::path& path, int frames, const std::string& rate = "10:1") {
  std::string out = str("YUV4MPEG2 W", kWidth, " H", kHeight, " F", rate, " Ip A1:1 C444\n");
  for (int i = 0; i < frames; ++i) {
    out += "FRAME\n";
    out += std::string(kWidth * kHeight, static_cast<char>(16 + i));
    out += std::string(2 * kWidth * kHeight, static_cast<char>(128));
  }
  spill(path, out);
}

/// The numbers of the frames of a clip, from their brightness: luma 16 + i is grey 1.164 i.
std::vector<int> frames_of(const io::Item& item) {
  std::vector<int> out;
  const auto frame = static_cast<std::size_t>(element_count(item.clip.shape) / item.clip.shape[0]);
  for (std::size_t at = 0; at < item.clip.bytes.size(); at += frame)
    out.push_back(
        static_cast<int>(std::lround(std::to_integer<int>(item.clip.bytes[at]) / 1.1644)));
  return out;
}

AllItems cut(const fs::path& root, const std::vector<fs::path>& files, io::VideoOptions options) {
  io::VideoSource source(root, files, options);
  return read_all(source);
}

using Numbers = std::vector<int>;

struct WithVideos {
  WithVideos() {
    if (!io::has_videos()) BOOST_TEST_MESSAGE("skipped: built without libav");
  }
  const TempDir dir;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_frame, WithVideos) {
  if (!io::has_videos()) return;
  fs::create_directories(dir / "walk");
  const fs::path video = dir / "walk/a.y4m";
  write_video(video, 10);
  spill(dir / "walk/a.txt", "a person walks");
  const AllItems all = cut(dir.path(), {video}, {.frames = 4, .class_by_folder = true});
  BOOST_REQUIRE(all.items.size() == 2);  // two frames are left over
  BOOST_TEST(frames_of(all.items[0]) == (Numbers{0, 1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(frames_of(all.items[1]) == (Numbers{4, 5, 6, 7}), boost::test_tools::per_element());
  BOOST_TEST((all.items[0].clip.shape == Shape{4, kHeight, kWidth, 3}));
  BOOST_TEST(all.items[1].source == "walk/a.y4m#1");
  BOOST_TEST(all.items[0].layout == "THWC");
  BOOST_TEST(all.items[0].class_name == "walk");
  BOOST_TEST(all.items[0].captions.at(0).text == "a person walks");
  BOOST_TEST(all.items[0].fps == 10);
  BOOST_TEST((all.items[0].width == kWidth && all.items[0].height == kHeight));
}

BOOST_FIXTURE_TEST_CASE(overlap_and_limits, WithVideos) {
  if (!io::has_videos()) return;
  write_video(dir / "a.y4m", 10);
  const AllItems all = cut(dir.path(), {dir / "a.y4m"}, {.frames = 4, .overlap = 2});
  BOOST_REQUIRE(all.items.size() == 4);
  BOOST_TEST(frames_of(all.items[1]) == (Numbers{2, 3, 4, 5}), boost::test_tools::per_element());
  BOOST_TEST(frames_of(all.items[3]) == (Numbers{6, 7, 8, 9}), boost::test_tools::per_element());
  BOOST_TEST(cut(dir.path(), {dir / "a.y4m"}, {.frames = 4, .clips_per_video = 1}).items.size() ==
             1);
  BOOST_CHECK_THROW(cut(dir.path(), {}, {.frames = 4, .overlap = 4}), InvalidArgument);
}

BOOST_FIXTURE_TEST_CASE(other_rates, WithVideos) {
  if (!io::has_videos()) return;
  write_video(dir / "a.y4m", 10);  // 10 frames/s
  const auto at = [&](double fps, std::int64_t frames) {
    return frames_of(cut(dir.path(), {dir / "a.y4m"}, {.frames = frames, .fps = fps}).items.at(0));
  };
  BOOST_TEST(at(5, 5) == (Numbers{0, 2, 4, 6, 8}), boost::test_tools::per_element());
  BOOST_TEST(at(10, 10) == (Numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}),
             boost::test_tools::per_element());
  const Numbers twice = at(20, 20);
  BOOST_TEST(twice.front() == 0);
  BOOST_TEST(twice.back() == 9);
  for (std::size_t i = 1; i < twice.size(); ++i) BOOST_TEST((twice[i] - twice[i - 1]) / 2 == 0);
  // One second of video has no 6 frames at 5 frames/s.
  const AllItems none = cut(dir.path(), {dir / "a.y4m"}, {.frames = 6, .fps = 5});
  BOOST_TEST(none.items.empty());
  BOOST_TEST(has(none.faults.at(0), "5 frames at 5 frames/s"), none.faults.at(0));
}

BOOST_FIXTURE_TEST_CASE(sizes_and_faults, WithVideos) {
  if (!io::has_videos()) return;
  write_video(dir / "a.y4m", 3);
  spill(dir / "b.y4m", "not a video");
  write_video(dir / "c.y4m", 1);
  write_video(dir / "d.y4m", 3);
  const AllItems all = cut(dir.path(), {dir / "a.y4m", dir / "b.y4m", dir / "c.y4m", dir / "d.y4m"},
                           {.width = 8, .height = 8, .frames = 2});
  BOOST_REQUIRE(all.items.size() == 2);
  BOOST_TEST((all.items[1].clip.shape == Shape{2, 8, 8, 3}));
  BOOST_TEST(frames_of(all.items[1]) == (Numbers{0, 1}), boost::test_tools::per_element());
  BOOST_TEST(all.items[1].width == kWidth);  // of the original
  BOOST_REQUIRE(all.faults.size() == 2);
  BOOST_TEST(has(all.faults[0], "b.y4m: [video]"), all.faults[0]);
  BOOST_TEST(has(all.faults[1], "c.y4m: it has 1 frames, fewer than a clip of 2"), all.faults[1]);
}

// The synthetic set: deterministic, with disjoint splits, closed loops and clearly distinct
// classes.
#define BOOST_TEST_MODULE synth
#include "eflow/io/dataset/synth.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "eflow/core/base/error.hpp"

using namespace eflow;
using eflow::io::SynthShapes;
using eflow::io::SynthSplit;

namespace {

std::vector<float> clip_of(const SynthShapes& shapes, std::int64_t index) {
  std::vector<float> clip(static_cast<std::size_t>(element_count(shapes.clip_shape())));
  BOOST_TEST(shapes.read(index, clip) == index % 9);
  return clip;
}

double rms(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(sizes_and_names) {
  BOOST_TEST(SynthShapes({.split = SynthSplit::kTrain}).size() == 378);
  BOOST_TEST(SynthShapes({.split = SynthSplit::kHeldOut}).size() == 54);
  BOOST_TEST(SynthShapes({.split = SynthSplit::kAll}).size() == 432);
  const SynthShapes shapes({.frames = 5, .size = 16});
  BOOST_TEST(shapes.clip_shape() == (Shape{3, 5, 16, 16}));
  const auto names = shapes.class_names();
  BOOST_TEST(names.size() == 9u);
  BOOST_TEST(names[0] == "disc pulse");
  BOOST_TEST(names[8] == "star sway");
  std::vector<float> small(3);
  BOOST_CHECK_THROW(shapes.read(0, small), InvalidArgument);
  BOOST_CHECK_THROW(clip_of(shapes, 378), InvalidArgument);
  BOOST_CHECK_THROW(SynthShapes({.frames = 1}), InvalidArgument);
  BOOST_CHECK_THROW(SynthShapes({.size = 7}), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(values_are_pixels_and_repeat) {
  const SynthShapes a({.seed = 3}), b({.seed = 3}), c({.seed = 4});
  for (const std::int64_t i : {0, 13, 200, 377}) {
    const auto clip = clip_of(a, i);
    for (const float v : clip) BOOST_REQUIRE(v >= -1 && v <= 1);
    BOOST_TEST((clip == clip_of(b, i)));
  }
  BOOST_TEST((clip_of(a, 0) != clip_of(c, 0)));
}

BOOST_AUTO_TEST_CASE(all_clips_differ_and_held_out_colours_are_unseen) {
  const SynthShapes train({.frames = 2, .size = 8, .seed = 1, .split = SynthSplit::kTrain});
  const SynthShapes held({.frames = 2, .size = 8, .seed = 1, .split = SynthSplit::kHeldOut});
  std::set<std::vector<float>> seen;
  for (std::int64_t i = 0; i < train.size(); ++i) seen.insert(clip_of(train, i));
  BOOST_TEST(seen.size() == 378u);
  for (std::int64_t i = 0; i < held.size(); ++i) seen.insert(clip_of(held, i));
  BOOST_TEST(seen.size() == 432u);
}

BOOST_AUTO_TEST_CASE(motion_closes_and_is_slow) {
  const SynthShapes shapes({.frames = 16});
  const std::size_t plane = 32 * 32, channel = 16 * plane;
  for (std::int64_t label = 0; label < 9; ++label) {
    const auto clip = clip_of(shapes, label);
    const auto frame = [&](std::size_t t) {
      std::vector<float> out;
      for (std::size_t c = 0; c < 3; ++c) {
        const auto at = clip.begin() + static_cast<std::ptrdiff_t>(c * channel + t * plane);
        out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(plane));
      }
      return out;
    };
    double largest_step = 0;
    for (std::size_t t = 0; t + 1 < 16; ++t) {
      largest_step = std::max(largest_step, rms(frame(t), frame(t + 1)));
    }
    BOOST_TEST(rms(frame(15), frame(0)) <=
               1.05 * largest_step);  // no discontinuity where the loop closes
    BOOST_TEST(rms(frame(4), frame(12)) > 1.3 * largest_step);  // the two extremes of the motion
  }
}

BOOST_AUTO_TEST_CASE(classes_of_one_colour_differ) {
  const SynthShapes shapes;
  for (std::int64_t a = 0; a < 9; ++a) {
    for (std::int64_t b = 0; b < a; ++b)
      BOOST_TEST(rms(clip_of(shapes, a), clip_of(shapes, b)) > 0.02);
  }
}

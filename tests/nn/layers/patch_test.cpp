#define BOOST_TEST_MODULE patch
#include "eflow/nn/layers/patch.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

BOOST_AUTO_TEST_CASE(patches_hold_channel_then_frame_then_row) {
  const Patch patch{2, 2, 2};
  const Tensor x = test::values({1, 3, 4, 4, 6}, 5);
  const Tensor tokens = to_patches(x, patch);
  BOOST_TEST(tokens.shape() == (Shape{1, 2 * 2 * 3, 3 * 8}));
  // Token (t, h, w) = (1, 0, 2), channel 2, element (1, 0, 1) is pixel (3, 0, 5).
  const auto v = tokens.to_vector<double>(), pixels = x.to_vector<double>();
  BOOST_TEST(v[((1 * 2 + 0) * 3 + 2) * 24 + 2 * 8 + (1 * 2 + 0) * 2 + 1] ==
             pixels[((2 * 4 + 3) * 4 + 0) * 6 + 5]);
}

BOOST_AUTO_TEST_CASE(the_head_writes_channels_fastest) {
  const Patch patch{2, 2, 2};
  const Grid3 grid{2, 2, 3};
  const Tensor y = test::values({1, 12, 24}, 6);
  const Tensor video = from_patches(y, patch, grid);
  BOOST_TEST(video.shape() == (Shape{1, 3, 4, 4, 6}));
  const auto v = y.to_vector<double>(), pixels = video.to_vector<double>();
  BOOST_TEST(pixels[((2 * 4 + 3) * 4 + 0) * 6 + 5] ==
             v[((1 * 2 + 0) * 3 + 2) * 24 + ((1 * 2 + 0) * 2 + 1) * 3 + 2]);
}

BOOST_AUTO_TEST_CASE(a_patch_must_divide_the_video) {
  BOOST_CHECK_THROW(static_cast<void>(to_patches(test::values({1, 3, 4, 5, 6}, 5), {2, 2, 2})),
                    ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(to_patches(test::values({3, 4, 4, 6}, 5), {2, 2, 2})),
                    ShapeError);
}

}  // namespace
}  // namespace eflow::nn

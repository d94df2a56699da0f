#define BOOST_TEST_MODULE rope3d
#include "eflow/nn/layers/rope3d.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

struct Axes {
  std::int64_t head, t, h, w;
};
std::ostream& operator<<(std::ostream& out, const Axes& axes) {
  return out << "d = " << axes.head;
}
const Axes kAxes[] = {{64, 24, 20, 20}, {72, 24, 24, 24}, {96, 32, 32, 32}, {128, 44, 42, 42}};

BOOST_DATA_TEST_CASE(channels_are_divided_as_in_the_paper, boost::unit_test::data::make(kAxes),
                     axes) {
  const auto [t, h, w] = rope_axis_channels(axes.head);
  BOOST_TEST(t == axes.t);
  BOOST_TEST(h == axes.h);
  BOOST_TEST(w == axes.w);
}

BOOST_AUTO_TEST_CASE(an_odd_head_is_refused) {
  BOOST_CHECK_THROW(static_cast<void>(rope_axis_channels(7)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(angles_follow_the_formula) {
  const Grid3 grid{2, 3, 4};
  const RopeTables tables = RopeTables::of_grid(grid, 16, DType::kF64, default_device());
  const auto cosines = tables.cos.to_vector<double>();
  // d = 16: 8 pairs, 4 of t, 2 of h, 2 of w. Token (1, 2, 3), second pair of h, second pair of w.
  const std::size_t token = (1 * 3 + 2) * 4 + 3;
  BOOST_TEST(cosines[token * 8 + 0] == std::cos(1.0));
  BOOST_TEST(cosines[token * 8 + 1] == std::cos(std::pow(1e4, -2.0 / 8)));
  BOOST_TEST(cosines[token * 8 + 5] == std::cos(2 * std::pow(1e4, -2.0 / 4)));
  BOOST_TEST(cosines[token * 8 + 7] == std::cos(3 * std::pow(1e4, -2.0 / 4)));
}

/// After rotation, q.k depends only on the difference of positions.
BOOST_AUTO_TEST_CASE(products_depend_on_position_differences) {
  const Grid3 grid{1, 1, 6};
  const RopeTables tables = RopeTables::of_grid(grid, 12, DType::kF64, default_device());
  const Tensor same = broadcast_to(test::values({1, 1, 12}, 1), {1, 6, 12});
  const Tensor other = broadcast_to(test::values({1, 1, 12}, 2), {1, 6, 12});
  const Tensor scores =
      matmul(tables(contiguous(same), 1), transpose(tables(contiguous(other), 1), 1, 2));
  const auto s = scores.to_vector<double>();
  BOOST_TEST(s[0 * 6 + 2] == s[3 * 6 + 5], boost::test_tools::tolerance(1e-12));
  BOOST_TEST(std::abs(s[0 * 6 + 2] - s[0 * 6 + 3]) > 1e-6);
}

BOOST_AUTO_TEST_CASE(kept_tokens_keep_their_positions) {
  const RopeTables all = RopeTables::of_grid({2, 2, 2}, 12, DType::kF64, default_device());
  const std::vector<std::int64_t> kept = {1, 6, 0, 7};
  const Tensor ids = Tensor::from(kept, {2, 2});
  const Tensor x = test::values({2, 8, 24}, 3);
  const Tensor rotated = all.at(ids)(gather_tokens(x, ids), 2);
  BOOST_TEST(test::distance(rotated, gather_tokens(all(x, 2), ids)) < 1e-14);
}

}  // namespace
}  // namespace eflow::nn

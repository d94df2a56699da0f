// Sana's attention and Mix-FFN against their definitions as loops and N x N products.
#define BOOST_TEST_MODULE sana
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/nn/attention/sana_attention.hpp"
#include "eflow/nn/layers/depthwise.hpp"
#include "eflow/nn/layers/mix_feed_forward.hpp"
#include "eflow/nn/layers/rope3d.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(sana_divides_rotated_weights_by_their_unrotated_sum) {
  const Grid3 grid{2, 2, 2};
  const RopeTables rope = RopeTables::of_grid(grid, 6, DType::kF64, default_device());
  const Tensor q = test::values({2, 8, 2, 6}, 1) + 0.5, k = test::values({2, 8, 2, 6}, 2) + 0.5,
               v = test::values({2, 8, 2, 6}, 3);
  const auto pairs = [](const Tensor& a, const Tensor& b) {
    return matmul(transpose(a, 1, 2), permute(b, {0, 2, 3, 1}));
  };
  const Tensor top = pairs(rope(relu(q), 2), rope(relu(k), 2));
  const Tensor bottom = sum(pairs(relu(q), relu(k)), {3}, true);
  const Tensor expected = transpose(matmul(top, transpose(v, 1, 2)) / bottom, 1, 2);
  BOOST_TEST(test::distance(sana_attention(q, k, v, rope), expected) < 1e-4);
}

BOOST_AUTO_TEST_CASE(a_zero_denominator_stays_finite) {
  const RopeTables rope = RopeTables::of_grid({1, 1, 2}, 4, DType::kF64, default_device());
  const Tensor none = Tensor::full({1, 2, 1, 4}, -1, DType::kF64);
  BOOST_TEST(test::largest(sana_attention(none, none, none, rope)) == 0);
}

BOOST_AUTO_TEST_CASE(depthwise_is_a_convolution_of_each_frame) {
  const Grid3 grid{2, 3, 4};
  const Tensor x = test::values({2, 24, 5}, 1), w = test::values({9, 5}, 2),
               bias = test::values({5}, 3);
  const auto xs = x.to_vector<double>(), ws = w.to_vector<double>(), bs = bias.to_vector<double>();
  std::vector<double> expected;
  for (std::int64_t frame = 0; frame < 4; ++frame) {
    for (std::int64_t h = 0; h < 3; ++h) {
      for (std::int64_t column = 0; column < 4; ++column) {
        for (std::size_t c = 0; c < 5; ++c) {
          double y = bs[c];
          for (std::int64_t i = 0; i < 9; ++i) {
            const std::int64_t a = h + i / 3 - 1, b = column + i % 3 - 1;
            if (a < 0 || a >= 3 || b < 0 || b >= 4) continue;
            y += ws[static_cast<std::size_t>(i) * 5 + c] *
                 xs[static_cast<std::size_t>((frame * 3 + a) * 4 + b) * 5 + c];
          }
          expected.push_back(y);
        }
      }
    }
  }
  BOOST_TEST(test::distance(depthwise_3x3(x, grid, w, bias), Tensor::from(expected, x.shape())) <
             1e-13);
  BOOST_CHECK_THROW(static_cast<void>(depthwise_3x3(x, {2, 3, 3}, w, bias)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(depthwise_3x3(x, grid, test::values({8, 5}, 2), bias)),
                    ShapeError);
}

BOOST_AUTO_TEST_CASE(kept_tokens_are_packed) {
  const Grid3 grid{4, 6, 8};
  BOOST_TEST((packed_grid(grid, 192) == grid));
  BOOST_TEST((packed_grid(grid, 48) == Grid3{4, 3, 4}));
  BOOST_TEST((packed_grid(grid, 50) == Grid3{1, 1, 50}));
}

BOOST_AUTO_TEST_CASE(mix_feed_forward_sees_neighbours_of_the_frame_only) {
  const Grid3 grid{2, 3, 3};
  const MixFeedForward layer(kScope, 4, 6);
  const Tensor x = test::values({1, 18, 4}, 1);
  const Tensor other = concat({test::values({1, 1, 4}, 2), narrow(x, 1, 1, 17)}, 1);
  const Tensor change = layer(other, grid) - layer(x, grid);
  const auto moved = [&](std::int64_t i) { return test::largest(narrow(change, 1, i, 1)) > 1e-9; };
  for (std::int64_t i = 0; i < 18; ++i)
    BOOST_TEST(moved(i) == (i == 0 || i == 1 || i == 3 || i == 4));
}

BOOST_AUTO_TEST_CASE(gradients_of_mix_feed_forward_match_finite_differences) {
  const MixFeedForward layer(kScope, 4, 6);
  test::perturb(layer.parameters(), 0.5);
  for (const std::int64_t tokens : {8, 2, 3}) {
    Tensor x = test::values({2, tokens, 4}, 1);
    x.set_requires_grad();
    NamedTensors leaves = layer.parameters();
    leaves.emplace_back("x", x);
    const Tensor weights = test::values(x.shape(), 3);
    const auto worst = test::worst_gradient(leaves, [&] {
      return sum(layer(x, {2, 2, 2}) * weights);
    });
    BOOST_TEST(worst.relative() < 1e-6, worst.name);
  }
}

/// The Mix-FFN size behind the 607M parameters of the paper's Base 3: F = 4608 at D = 1152.
BOOST_AUTO_TEST_CASE(mix_feed_forward_has_the_parameters_of_sana) {
  const MixFeedForward layer(Scope::shapes_only(), 1152, 4608);
  const std::int64_t width = 1152, hidden = 4608;
  BOOST_TEST(layer.parameter_count() == 2 * hidden * (width + 1 + 9 + 1) + hidden * width);
}

}  // namespace
}  // namespace eflow::nn

// Copies by tiles: the plan, and the kernel's text on the CPU, which itself copies by rows.
#define BOOST_TEST_MODULE permuted_copy
#include "eflow/core/copies/permuted_copy.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "eflow/core/copies/divisor.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

using namespace eflow;

namespace {

/// x of `shape` with its dimensions in another order, dense in the original one.
Tensor permuted(const Shape& shape, std::vector<int> order) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), 1.0f);
  return permute(Tensor::from(values, shape), order);
}

/// Copies x by tiles to a dense tensor. Returns the tile's number of elements, or 0 without a plan.
long long check_copy(const Tensor& x) {
  const NoGrad off;
  const Tensor y = Tensor::zeros(x.shape(), x.dtype(), x.device());
  auto plan = detail::plan_permuted_copy(x.shape(), x.strides(), y.strides(), 4);
  if (!plan) return 0;
  plan->args.x = x.data();
  plan->args.y = y.data();
  x.device()->launch("permute",
                     jit::KernelSpec("permute", {x.dtype()}, {plan->rank, plan->rank_of_y}),
                     {plan->tiles}, plan->args);
  BOOST_TEST((y.to_vector<float>() == x.to_vector<float>()), "of " << x);
  BOOST_TEST(plan->args.tile_count * plan->tiles == x.count());
  BOOST_TEST(plan->args.tile_count <= args::kMostTileElements);
  return plan->args.tile_count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(divisions_by_multiplication_are_exact) {
  for (const std::int64_t size : {1, 2, 3, 7, 10, 64, 641, 65535, 65537, 1 << 30, 2147483647}) {
    const args::Divisor by = detail::divisor(size);
    for (const std::int64_t near :
         {std::int64_t{0}, size, 12345 * size, (2147483647 / size) * size}) {
      for (std::int64_t n = std::max<std::int64_t>(0, near - 2); n <= near + 2; ++n) {
        if (n > 2147483647) continue;
        const auto part = static_cast<unsigned>((static_cast<std::uint64_t>(n) * by.magic) >> 32);
        BOOST_TEST((static_cast<unsigned>(n) + part) >> by.shift == n / size, n << " / " << size);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(videos_become_patches_and_patches_videos) {
  // [batch, channels, t, h, 2, w, 2], and back from [batch, t, h, w, 2, 2, channels]
  BOOST_TEST(check_copy(permuted({2, 16, 3, 8, 2, 16, 2}, {0, 2, 3, 5, 1, 4, 6})) == 1024);
  BOOST_TEST(check_copy(permuted({2, 3, 8, 16, 2, 2, 16}, {0, 6, 1, 2, 4, 3, 5})) > 0);
}

BOOST_AUTO_TEST_CASE(transposes_of_any_size_are_copied) {
  for (const Shape& shape :
       {Shape{64, 64}, Shape{128, 8}, Shape{33, 45}, Shape{1000, 24}, Shape{12, 4096}})
    BOOST_TEST(check_copy(permuted(shape, {1, 0})) > 0, shape);
  BOOST_TEST(check_copy(permuted({3, 40, 5, 50}, {0, 2, 3, 1})) > 0);
  BOOST_TEST(check_copy(permuted({2, 3, 4, 5, 6, 7}, {5, 3, 1, 4, 2, 0})) >= 0);
}

BOOST_AUTO_TEST_CASE(where_rows_do_as_well_there_is_no_plan) {
  BOOST_TEST(check_copy(permuted({6, 7, 64}, {1, 0, 2})) == 0);  // rows of 64 stay together
  BOOST_TEST(check_copy(permuted({64, 64}, {0, 1})) == 0);       // a plain copy
  BOOST_TEST(check_copy(permuted({4099, 2}, {1, 0})) == 0);      // a prime length, and pairs
  BOOST_TEST(!detail::plan_permuted_copy({64, 64}, {1, 0}, {64, 1}, 4));  // broadcast
}

// The order of samples: a permutation per epoch that depends only on (seed, position).
#define BOOST_TEST_MODULE order
#include "eflow/io/dataset/order.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "eflow/core/base/error.hpp"

using namespace eflow;
using eflow::io::SampleOrder;

BOOST_AUTO_TEST_CASE(each_epoch_is_a_permutation) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t n = 1; n < 140; ++n) sizes.push_back(n);
  for (const std::int64_t n : {255, 256, 257, 1000, 4095, 4096, 4097, 65537, 100003}) {
    sizes.push_back(n);
  }
  for (const std::int64_t n : sizes) {
    for (const std::uint64_t seed : {0ull, 1ull, ~0ull}) {
      const SampleOrder order(n, seed);
      for (const std::int64_t epoch : {0, 1, 7}) {
        std::vector<bool> seen(static_cast<std::size_t>(n));
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t at = order.index_at(epoch * n + i);
          BOOST_REQUIRE(at >= 0 && at < n);
          BOOST_REQUIRE(!seen[static_cast<std::size_t>(at)]);
          seen[static_cast<std::size_t>(at)] = true;
        }
        BOOST_TEST(order.epoch_of(epoch * n) == epoch);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(huge_sizes_and_positions) {
  for (const std::int64_t n :
       {std::int64_t{1} << 40, (std::int64_t{1} << 61) + 3, std::int64_t{1} << 62}) {
    const SampleOrder order(n, 5);
    for (const std::int64_t p : {std::int64_t{0}, n / 3, n - 1}) {
      BOOST_TEST(order.index_at(p) >= 0);
      BOOST_TEST(order.index_at(p) < n);
    }
  }
  BOOST_CHECK_THROW(SampleOrder(0, 1), InvalidArgument);
  BOOST_CHECK_THROW(SampleOrder((std::int64_t{1} << 62) + 1, 1), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(SampleOrder(4, 1).index_at(-1)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(seeds_and_epochs_differ) {
  constexpr std::int64_t kCount = 1000;
  const SampleOrder a(kCount, 1), b(kCount, 2);
  int same_seed = 0, same_epoch = 0;
  for (std::int64_t i = 0; i < kCount; ++i) {
    same_seed += a.index_at(i) == b.index_at(i);
    same_epoch += a.index_at(i) == a.index_at(kCount + i);
  }
  // Two random permutations agree in one position on average; 12 or more has probability below
  // 1e-8.
  BOOST_TEST(same_seed < 12);
  BOOST_TEST(same_epoch < 12);
}

/// Pearson's chi-squared test of the position of each index: with few samples, all positions must
/// be about equally likely.
BOOST_AUTO_TEST_CASE(places_are_uniform_over_seeds) {
  constexpr std::int64_t kCount = 10;
  constexpr int kSeeds = 20000;
  std::vector<double> hits(kCount * kCount);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const SampleOrder order(kCount, static_cast<std::uint64_t>(seed));
    for (std::int64_t i = 0; i < kCount; ++i) {
      ++hits[static_cast<std::size_t>(i * kCount + order.index_at(i))];
    }
  }
  double chi = 0;
  for (const double h : hits) chi += (h - kSeeds / 10.0) * (h - kSeeds / 10.0) / (kSeeds / 10.0);
  BOOST_TEST(chi < 160);  // 81 degrees of freedom: mean 81, and 160 has probability 4e-7
}

BOOST_AUTO_TEST_CASE(no_shuffle_counts) {
  const SampleOrder order(7, 3, io::Shuffle::kNo);
  for (std::int64_t p = 0; p < 30; ++p) BOOST_TEST(order.index_at(p) == p % 7);
}

// Philox against its published test vectors, the distributions of normal and uniform values, and
// that a value depends only on seed, purpose, step, sample and element: not on the instruction set,
// the threads, the batch or the dtype.

#define BOOST_TEST_MODULE random
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/kernels_src/philox.h"

namespace eflow {
namespace {

constexpr RandomKey kKey{42, 3, 17};

std::vector<std::int64_t> first_ids(std::int64_t count) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

BOOST_AUTO_TEST_CASE(philox_gives_the_known_answers) {
  // From kat_vectors of Random123.
  struct Case {
    eflow_text::Words4 counter;
    std::uint32_t key[2];
    std::uint32_t expected[4];
  };
  const Case cases[] = {
      {{{0, 0, 0, 0}}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{{~0u, ~0u, ~0u, ~0u}}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const Case& c : cases) {
    const eflow_text::Words4 found = eflow_text::philox4x32(c.counter, c.key[0], c.key[1]);
    BOOST_TEST(found.at == c.expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(log_and_angle_polynomials_are_accurate) {
  double worst = 0;
  for (std::uint32_t w = 1; w < 0xffff0000u; w += 65521 * 7) {
    const float u = static_cast<float>(w) * 0x1p-32f;
    const double exact = std::log(static_cast<double>(u));
    worst = std::max(worst, std::abs(eflow_text::log_of_unit(u) / exact - 1));
  }
  BOOST_TEST(worst < 2e-7);
  BOOST_TEST(eflow_text::log_of_unit(1.0f) == 0.0f);
  // Box-Muller: the first word gives the radius of a pair, the second its angle.
  double off = 0;
  for (std::uint32_t w = 0; w < 0xffff0000u; w += 65521 * 7) {
    const eflow_text::NormalPair z = eflow_text::normal_pair(0x40000000u, w);
    const double radius = std::sqrt(-2 * std::log(0.25));
    const double quarter =
        (w >> 30) + static_cast<double>(static_cast<std::int32_t>(w << 2)) * 0x1p-32;
    off = std::max(off, std::abs(z.a - radius * std::cos(quarter * M_PI / 2)));
    off = std::max(off, std::abs(z.b - radius * std::sin(quarter * M_PI / 2)));
  }
  BOOST_TEST(off < 5e-7);
}

BOOST_AUTO_TEST_CASE(extreme_words_give_finite_normals) {
  for (const std::uint32_t radius : {0u, 1u, 0x7fffffffu, 0x80000000u, ~0u}) {
    for (const std::uint32_t angle : {0u, 1u, 0x3fffffffu, 0x40000000u, 0x80000000u, ~0u}) {
      const eflow_text::NormalPair z = eflow_text::normal_pair(radius, angle);
      BOOST_TEST(std::isfinite(z.a));
      BOOST_TEST(std::isfinite(z.b));
      BOOST_TEST(std::hypot(z.a, z.b) < 6.67);
    }
  }
  BOOST_TEST(eflow_text::uniform_of(~0u) < 1.0f);
  BOOST_TEST(eflow_text::uniform_of(0) == 0.0f);
}

BOOST_AUTO_TEST_CASE(normals_have_the_moments_and_tails_of_a_normal) {
  constexpr std::int64_t kCount = 1 << 22;
  const auto z = random_normal({4, kCount / 4}, kKey, first_ids(4)).to_vector<float>();
  double moment[5] = {};
  int beyond[6] = {};
  double largest = 0, correlation = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    double power = 1;
    for (double& m : moment) {
      m += power / kCount;
      power *= z[i];
    }
    for (int k = 1; k < 6; ++k) beyond[k] += std::abs(z[i]) > k;
    largest = std::max(largest, std::abs(static_cast<double>(z[i])));
    if (i + 1 < z.size()) correlation += static_cast<double>(z[i]) * z[i + 1] / kCount;
  }
  // Five standard errors: sqrt(var(z^k) / n) with var 1, 2, 15, 96.
  const double error = 5 / std::sqrt(static_cast<double>(kCount));
  BOOST_TEST(std::abs(moment[1]) < error);
  BOOST_TEST(std::abs(moment[2] - 1) < error * std::sqrt(2.0));
  BOOST_TEST(std::abs(moment[3]) < error * std::sqrt(15.0));
  BOOST_TEST(std::abs(moment[4] - 3) < error * std::sqrt(96.0));
  BOOST_TEST(std::abs(correlation) < error);
  for (int k = 1; k < 6; ++k) {
    const double expected = std::erfc(k / std::sqrt(2.0)) * kCount;
    BOOST_TEST(std::abs(beyond[k] - expected) < 5 * std::sqrt(expected) + 1,
               beyond[k] << " beyond " << k << " sigma, expected " << expected);
  }
  BOOST_TEST(largest > 4.8);  // smaller with probability 0.001 in 4 million draws
  BOOST_TEST(largest < 6.67);
}

BOOST_AUTO_TEST_CASE(rare_words_reach_beyond_five_and_a_half_sigma) {
  BOOST_TEST(std::abs(eflow_text::normal_pair(200, 0).a) > 5.5f);
  BOOST_TEST(std::abs(eflow_text::normal_pair(0, 0).a) > 6.6f);
}

BOOST_AUTO_TEST_CASE(normals_pass_a_kolmogorov_smirnov_test) {
  constexpr std::int64_t kCount = 1 << 18;
  auto z = random_normal({1, kCount}, {7, 1, 1}, {5}).to_vector<double>();
  std::sort(z.begin(), z.end());
  double distance = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double cdf = std::erfc(-z[i] / std::sqrt(2.0)) / 2;
    distance = std::max(distance, std::abs(cdf - (static_cast<double>(i) + 0.5) / kCount));
  }
  BOOST_TEST(distance * std::sqrt(static_cast<double>(kCount)) < 1.95);  // p = 0.001
}

BOOST_AUTO_TEST_CASE(uniforms_fill_the_unit_interval_evenly) {
  constexpr std::int64_t kCount = 1 << 20;
  const auto u = random_uniform({2, kCount / 2}, kKey, {8, 9}).to_vector<float>();
  std::vector<int> bins(64);
  for (const float v : u) {
    BOOST_REQUIRE(v >= 0);
    BOOST_REQUIRE(v < 1);
    ++bins[static_cast<std::size_t>(v * 64)];
  }
  double chi2 = 0;
  for (const int n : bins) chi2 += (n - kCount / 64.0) * (n - kCount / 64.0) / (kCount / 64.0);
  BOOST_TEST(chi2 < 63 + 5 * std::sqrt(2 * 63.0));
  for (const bfloat16 v :
       random_uniform({1, 1 << 16}, kKey, {1}, DType::kBF16).to_vector<bfloat16>()) {
    BOOST_REQUIRE(static_cast<float>(v) < 1);
  }
}

BOOST_AUTO_TEST_CASE(bits_are_the_same_on_every_instruction_set_and_thread_count) {
  const DevicePtr base = make_cpu_device({.isa = jit::Isa::kBaseline, .threads = 1});
  const auto normals =
      random_normal({3, 4999}, kKey, {1, 2, 3}, DType::kF32, base).to_vector<float>();
  const auto uniforms =
      random_uniform({3, 4999}, kKey, {1, 2, 3}, DType::kF32, base).to_vector<float>();
  for (const jit::Isa isa : jit::usable_isas()) {
    for (const int threads : {1, 2, 3}) {
      const DevicePtr device = make_cpu_device({.isa = isa, .threads = threads});
      BOOST_TEST_CONTEXT(jit::name_of(isa) << ", " << threads << " threads") {
        BOOST_TEST(
            (random_normal({3, 4999}, kKey, {1, 2, 3}, DType::kF32, device).to_vector<float>() ==
             normals));
        BOOST_TEST(
            (random_uniform({3, 4999}, kKey, {1, 2, 3}, DType::kF32, device).to_vector<float>() ==
             uniforms));
      }
    }
  }
  // The host computes the same values, one at a time.
  const auto key = eflow_text::stream_key(kKey.seed, kKey.purpose, kKey.step);
  for (std::size_t e = 0; e < 4999; ++e) {
    BOOST_REQUIRE_EQUAL(eflow_text::normal_at(key, 2, e), normals[4999 + e]);
    BOOST_REQUIRE_EQUAL(eflow_text::uniform_at(key, 2, e), uniforms[4999 + e]);
  }
}

BOOST_AUTO_TEST_CASE(the_host_draws_the_same_bits) {
  const RandomKey key{7, 3, 11};
  const std::vector<std::int64_t> ids{5, 0, 123456789012};
  for (const Shape& shape : {Shape{3}, Shape{3, 2, 100}}) {
    BOOST_TEST(
        (uniform_values(shape, key, ids) == random_uniform(shape, key, ids).to_vector<double>()));
    BOOST_TEST(
        (normal_values(shape, key, ids) == random_normal(shape, key, ids).to_vector<double>()));
  }
  BOOST_CHECK_THROW((void)uniform_values({2}, key, ids), ShapeError);
}

BOOST_AUTO_TEST_CASE(a_sample_has_its_values_in_any_batch_and_shape) {
  const auto all = random_normal({4, 5, 33}, kKey, {10, 11, 1ll << 40, 13}).to_vector<float>();
  const auto alone = random_normal({1, 165}, kKey, {1ll << 40}).to_vector<float>();
  BOOST_TEST(std::equal(alone.begin(), alone.end(), all.begin() + 2 * 165));
  const auto shorter = random_normal({2, 70}, kKey, {13, 10}).to_vector<float>();
  BOOST_TEST(std::equal(shorter.begin(), shorter.begin() + 70, all.begin() + 3 * 165));
  BOOST_TEST(std::equal(shorter.begin() + 70, shorter.end(), all.begin()));
  const auto wide = random_normal({1, 165}, kKey, {1ll << 40}, DType::kF64).to_vector<float>();
  BOOST_TEST((wide == alone));
}

BOOST_AUTO_TEST_CASE(every_part_of_the_key_matters) {
  std::set<float> first;
  for (const RandomKey key :
       {kKey, RandomKey{43, 3, 17}, RandomKey{42 + (1ull << 32), 3, 17}, RandomKey{42, 4, 17},
        RandomKey{42, 3, 18}, RandomKey{42, 3, 17 + (1ull << 32)}}) {
    for (const std::int64_t id : {0ll, 1ll, 1ll << 32})
      first.insert(random_normal({1, 1}, key, {id}).to_vector<float>()[0]);
  }
  BOOST_TEST(first.size() == 18u);
}

BOOST_AUTO_TEST_CASE(wrong_requests_say_so) {
  BOOST_CHECK_THROW(static_cast<void>(random_normal({3, 4}, kKey, {1, 2})), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(random_normal({1, 4}, kKey, {-1})), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(random_normal({1, 4}, kKey, {1}, DType::kI64)),
                    InvalidArgument);
  BOOST_TEST(random_normal({0, 4}, kKey, {}).count() == 0);
}

}  // namespace
}  // namespace eflow

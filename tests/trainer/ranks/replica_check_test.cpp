// Weights that are compared across ranks: a flipped bit is found on every rank and named.
#define BOOST_TEST_MODULE replica_check
#include "eflow/trainer/ranks/replica_check.hpp"

#include <boost/test/unit_test.hpp>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/tensor/tensor.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// What each rank reports when rank `faulty` has one bit flipped in "second"; -1: none.
std::vector<std::string> reports(int count, int faulty) {
  std::mutex mutex;
  std::vector<std::string> all;
  comm::run_ranks(count, [&](comm::Communicator& ranks) {
    std::vector<float> values(1000, 0.25F);
    const Tensor first = Tensor::from(values, {10, 100});
    if (ranks.rank() == faulty) reinterpret_cast<std::uint32_t&>(values[777]) ^= 1U << 3;
    const Tensor second = Tensor::from(values, {1000});
    std::string text;
    try {
      require_same_bits({{"first", first}, {"second", second}}, &ranks, 40);
    } catch (const comm::PeerError& error) {
      text = error.what();
    }
    const std::lock_guard lock(mutex);
    all.push_back(text);
  });
  return all;
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(equal_weights_pass) {
  for (const std::string& text : reports(3, -1)) BOOST_TEST(text == "");
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_is_named_on_every_rank) {
  for (const int faulty : {0, 2, 3}) {
    for (const std::string& text : reports(4, faulty)) {
      BOOST_TEST(contains(text, "'second'"), text);
      BOOST_TEST(contains(text, "after step 40"), text);
      for (int r = 0; r < 4; ++r)
        BOOST_TEST(contains(text, str("rank ", r, " ").c_str()) == (r == faulty), text);
    }
  }
}

BOOST_AUTO_TEST_CASE(two_ranks_cannot_tell_which_is_wrong) {
  for (const std::string& text : reports(2, 1)) {
    BOOST_TEST(contains(text, "rank 0 "), text);
    BOOST_TEST(contains(text, "rank 1 "), text);
    BOOST_TEST(contains(text, "no value is that of most"), text);
  }
}

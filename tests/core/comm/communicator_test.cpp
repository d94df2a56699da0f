// Collectives between ranks that are threads: results, mismatches, failures, deadlines.
#define BOOST_TEST_MODULE communicator
#include "eflow/core/comm/communicator.hpp"

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <numeric>
#include <thread>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/tests/support/ranks.hpp"

using namespace eflow;
using namespace eflow::comm;
using test::contains;
using test::Faults;

namespace {

constexpr std::chrono::milliseconds kShort{300};

template <class T>
std::span<std::byte> bytes_of(std::vector<T>& values) {
  return std::as_writable_bytes(std::span(values));
}

/// What run_ranks throws.
std::string error_of(int ranks, const std::function<void(Communicator&)>& body,
                     std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  return test::peer_error_of([&] { run_ranks(ranks, body, deadline); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_single_rank_needs_no_one) {
  Communicator alone;
  BOOST_CHECK_EQUAL(alone.rank(), 0);
  BOOST_CHECK_EQUAL(alone.size(), 1);
  std::vector<double> values = {1, 2};
  all_reduce(&alone, std::span<double>(values), {"sum"});
  BOOST_CHECK(values == std::vector<double>({1, 2}));
  BOOST_CHECK(alone.gather("me", {"texts"}) == std::vector<std::string>{"me"});
  BOOST_CHECK_EQUAL(alone.broadcast("all", 0, {"text"}), "all");
  BOOST_CHECK(alone.any(true, {"flag"}));
  BOOST_CHECK(!alone.any(false, {"flag"}));
  alone.barrier({"barrier"});
}

BOOST_AUTO_TEST_CASE(every_collective_delivers) {
  for (const int size : {2, 3, 5, 8}) {
    Faults faults;
    run_ranks(size, [&](Communicator& ranks) {
      const int me = ranks.rank();
      faults.check(ranks.size() == size, "size");

      std::vector<int> word = {me == 1 ? 41 : 0, me == 1 ? 42 : 0};
      ranks.broadcast(bytes_of(word), 1, {"broadcast"}).wait();
      faults.check(word == std::vector<int>({41, 42}), "broadcast");

      const auto texts = ranks.gather(std::string(static_cast<std::size_t>(me), 'x'), {"texts"});
      for (int r = 0; r < size; ++r)
        faults.check(texts[static_cast<std::size_t>(r)].size() == static_cast<std::size_t>(r),
                     "gather");

      // Rank r sends 100 r + k, k + 1 times, to rank k.
      std::vector<std::vector<int>> out, in;
      for (int k = 0; k < size; ++k) {
        out.emplace_back(static_cast<std::size_t>(k) + 1, 100 * me + k);
        in.emplace_back(static_cast<std::size_t>(me) + 1);
      }
      std::vector<std::span<const std::byte>> to;
      std::vector<std::span<std::byte>> from;
      for (auto& part : out) to.push_back(std::as_bytes(std::span(part)));
      for (auto& part : in) from.push_back(bytes_of(part));
      ranks.all_to_all(to, from, {"all to all"}).wait();
      for (int r = 0; r < size; ++r) {
        const std::vector<int> expected(static_cast<std::size_t>(me) + 1, 100 * r + me);
        faults.check(in[static_cast<std::size_t>(r)] == expected, "all to all");
      }

      // A ring of neighbours, of which the two ends have one.
      std::vector<Outgoing> sends;
      std::vector<Incoming> receives;
      std::vector<int> mine = {me}, left(1, -1), right(1, -1);
      if (me > 0) {
        sends.push_back({me - 1, bytes_of(mine)});
        receives.push_back({me - 1, bytes_of(left)});
      }
      if (me + 1 < size) {
        sends.push_back({me + 1, bytes_of(mine)});
        receives.push_back({me + 1, bytes_of(right)});
      }
      ranks.exchange(sends, receives, {"neighbours"}).wait();
      faults.check(left[0] == me - 1 && right[0] == (me + 1 < size ? me + 1 : -1), "neighbours");

      faults.check(ranks.any(me == size - 1, {"flag"}), "any");
      faults.check(!ranks.any(false, {"flag"}), "none");
    });
  }
}

BOOST_AUTO_TEST_CASE(operations_overlap_and_may_end_in_any_order) {
  Faults faults;
  run_ranks(3, [&](Communicator& ranks) {
    std::vector<std::vector<int>> values(20, std::vector<int>(3));
    std::vector<Pending> pending;
    for (std::size_t n = 0; n < values.size(); ++n) {
      std::vector<std::span<std::byte>> all;
      for (std::size_t r = 0; r < 3; ++r)
        all.push_back(std::as_writable_bytes(std::span(values[n]).subspan(r, 1)));
      values[n][static_cast<std::size_t>(ranks.rank())] = static_cast<int>(n) + ranks.rank();
      pending.push_back(
          ranks.all_gather(all[static_cast<std::size_t>(ranks.rank())], all, {"part"}));
    }
    for (std::size_t n = values.size(); n-- > 0;) pending[n].wait();
    for (std::size_t n = 0; n < values.size(); ++n) {
      const int k = static_cast<int>(n);
      faults.check(values[n] == std::vector<int>({k, k + 1, k + 2}), "part");
    }
  });
}

// Magnitudes for which every other order of addition gives another result.
/// Whether the message of the only other rank comes in while this one only advances.
bool arrives_without_a_wait(Communicator& ranks, std::vector<int>& value) {
  for (int n = 0; n < 20000 && value[0] == 0; ++n) {
    ranks.advance();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return value[0] == 7;
}

BOOST_AUTO_TEST_CASE(operations_advance_without_a_wait) {
  Faults faults;
  run_ranks(2, [&](Communicator& ranks) {
    ranks.advance();  // nothing is on its way
    const int other = 1 - ranks.rank();
    std::vector<int> mine = {7}, theirs = {0};
    Pending pending = ranks.exchange({{other, bytes_of(mine)}}, {{other, bytes_of(theirs)}}, {"x"});
    faults.check(arrives_without_a_wait(ranks, theirs), "no message");
    pending.wait();
    ranks.barrier({"end"});
  });
}

// A rank that runs into an error of its own does not wait for what it has begun.
BOOST_AUTO_TEST_CASE(memory_that_is_kept_outlives_its_owner_until_the_end_of_the_operation) {
  Faults faults;
  run_ranks(2, [&](Communicator& ranks) {
    const int other = 1 - ranks.rank();
    const auto memory = std::make_shared<std::array<std::vector<int>, 2>>();
    *memory = {std::vector<int>{7}, std::vector<int>{0}};
    {
      auto owned = memory;
      Pending pending = ranks.exchange({{other, bytes_of((*owned)[0])}},
                                       {{other, bytes_of((*owned)[1])}}, {"left behind"});
      pending.keep(std::move(owned));
    }
    faults.check(memory.use_count() == 2, "not kept");
    faults.check(arrives_without_a_wait(ranks, (*memory)[1]), "no message");
    ranks.barrier({"end"});  // by now both directions are complete
    faults.check(memory.use_count() == 1, "kept too long");
  });
}

BOOST_AUTO_TEST_CASE(sums_follow_the_tree) {
  for (const int size : {2, 3, 4, 7, 8}) {
    std::vector<float> parts;
    for (int r = 0; r < size; ++r)
      parts.push_back(r % 2 == 0 ? 1e8F + static_cast<float>(r) : 0.7F);
    ShardSum<float> expected(size);
    for (int r = 0; r < size; ++r)
      expected.add({0, r}, parts[static_cast<std::size_t>(r)],
                   [](float* left, float right) { *left += right; });
    Faults faults;
    run_ranks(size, [&](Communicator& ranks) {
      const float mine = parts[static_cast<std::size_t>(ranks.rank())];
      std::vector<float> values(11, mine);
      all_reduce(&ranks, std::span<float>(values), {"sum"});
      faults.check(values == std::vector<float>(11, expected.root()), "all reduce");

      std::vector<float> scattered(11, mine);
      reduce_scatter(&ranks, std::span<float>(scattered), {"slices"});
      const ShardRange slice = slice_of(ranks.rank(), size, 11);
      for (std::int64_t i = slice.first; i < slice.last; ++i)
        faults.check(scattered[static_cast<std::size_t>(i)] == expected.root(), "reduce scatter");
    });
  }
}

BOOST_AUTO_TEST_CASE(different_operations_are_an_error_with_both_labels) {
  const std::string labels = error_of(3, [](Communicator& ranks) {
    ranks.barrier({ranks.rank() == 2 ? "metrics" : "gradients", 7});
  });
  BOOST_CHECK_MESSAGE(contains(labels, "'gradients' of step 7") && contains(labels, "'metrics'"),
                      labels);
  const std::string steps = error_of(2, [](Communicator& ranks) {
    ranks.barrier({"weights", 3 + ranks.rank()});
  });
  BOOST_CHECK_MESSAGE(contains(steps, "step 3") && contains(steps, "step 4"), steps);
  const std::string sizes = error_of(2, [](Communicator& ranks) {
    std::vector<int> values(ranks.rank() == 0 ? 4 : 5);
    ranks.broadcast(bytes_of(values), 0, {"values"}).wait();
  });
  BOOST_CHECK_MESSAGE(contains(sizes, "expecting 20 bytes") && contains(sizes, "sending 16 bytes"),
                      sizes);
  const std::string extra = error_of(2, [](Communicator& ranks) {
    if (ranks.rank() == 0) ranks.barrier({"one more"});
    ranks.barrier({"last"});
    if (ranks.rank() == 1) ranks.barrier({"last"});
  });
  BOOST_CHECK_MESSAGE(contains(extra, "one more") && contains(extra, "last"), extra);
  // Each takes the other for the root, so both only receive: no header shows the difference.
  const auto mutual = [](Communicator& ranks) {
    std::vector<int> values(4);
    const bool first = ranks.rank() == 0;
    ranks.broadcast(bytes_of(values), first ? 1 : 0, {first ? "rates" : "times", 8}).wait();
  };
  const std::string roots = error_of(2, mutual, kShort);
  BOOST_CHECK_MESSAGE(contains(roots, "'rates' of step 8") && contains(roots, "'times' of step 8"),
                      roots);
}

BOOST_AUTO_TEST_CASE(a_late_rank_is_named_with_what_it_did_last) {
  std::atomic<int> named = 0;
  const auto body = [&](Communicator& ranks) {
    ranks.barrier({"weights", 4});
    if (ranks.rank() == 2) {
      std::this_thread::sleep_for(4 * kShort);
      return;
    }
    try {
      ranks.barrier({"gradients", 5});
    } catch (const PeerError& error) {
      const std::string text = error.what();
      if (contains(text, "rank 2") && contains(text, "last seen in 'weights' of step 4") &&
          contains(text, "'gradients' of step 5"))
        ++named;
      throw;
    }
  };
  BOOST_CHECK_NE(error_of(4, body, kShort), "");
  // The first to notice says so to the others, so at least one names the culprit itself, and all
  // learn of it.
  BOOST_CHECK_EQUAL(named, 3);
}

// Rank 0 waits for rank 2, and rank 1 for rank 0: only rank 2 is to blame.
BOOST_AUTO_TEST_CASE(a_rank_that_waits_itself_is_not_blamed) {
  std::atomic<int> right = 0;
  const auto body = [&](Communicator& ranks) {
    if (ranks.rank() == 2) return std::this_thread::sleep_for(6 * kShort);
    try {
      std::vector<int> value = {1};
      if (ranks.rank() == 0) ranks.exchange({}, {{2, bytes_of(value)}}, {"first", 1}).wait();
      if (ranks.rank() == 1) {
        ranks.exchange({}, {}, {"first", 1}).wait();
        ranks.barrier({"second", 1});
      }
    } catch (const PeerError& error) {
      const std::string text = error.what();
      if (contains(text, "for rank 2") && !contains(text, "for rank 0") &&
          !contains(text, ", rank 0 ("))
        ++right;
      throw;
    }
  };
  BOOST_CHECK_NE(error_of(3, body, kShort), "");
  BOOST_CHECK_EQUAL(right, 2);
}

BOOST_AUTO_TEST_CASE(an_error_of_one_rank_reaches_all) {
  std::atomic<int> told = 0;
  const auto body = [&](Communicator& ranks) {
    if (ranks.rank() == 1) throw IoError("clip 7 cannot be read");
    try {
      ranks.barrier({"gradients", 1});
    } catch (const PeerError& error) {
      if (contains(error.what(), "rank 1") && contains(error.what(), "clip 7 cannot be read"))
        ++told;
      throw;
    }
  };
  BOOST_CHECK_THROW(run_ranks(4, body, std::chrono::seconds(20)), IoError);
  BOOST_CHECK_EQUAL(told, 3);
}

BOOST_AUTO_TEST_CASE(a_failed_communicator_refuses_and_reports_once) {
  std::atomic<int> reports = 0, refused = 0;
  const auto body = [&](Communicator& ranks) {
    ranks.on_failure = [&](const std::string& report) {
      if (contains(report, "'first' of step 1") && contains(report, "took") &&
          contains(report, "not finished"))
        ++reports;
    };
    ranks.barrier({"first", 1});
    try {
      ranks.barrier({ranks.rank() == 0 ? "a" : "b", 2});
    } catch (const PeerError&) {
      try {
        ranks.barrier({"again", 3});
      } catch (const PeerError&) {
        ++refused;
      }
    }
  };
  run_ranks(2, body, std::chrono::seconds(20));
  BOOST_CHECK_EQUAL(reports, 2);
  BOOST_CHECK_EQUAL(refused, 2);
}

// A launcher that lost a rank interrupts the others: they say where they wait, and go on waiting.
BOOST_AUTO_TEST_CASE(an_interrupted_wait_says_for_whom_once) {
  std::atomic<int> said = 0;
  run_ranks(2, [&](Communicator& ranks) {
    ranks.interrupted = [] { return true; };
    ranks.on_interruption = [&](const std::string& situation) {
      if (contains(situation, "'slow' of step 2") && contains(situation, "rank 1")) ++said;
    };
    ranks.barrier({"quick", 1});
    if (ranks.rank() == 1) std::this_thread::sleep_for(2 * kShort);
    ranks.barrier({"slow", 2});
    if (ranks.rank() == 1) std::this_thread::sleep_for(2 * kShort);
    ranks.barrier({"slow again", 3});
  });
  BOOST_CHECK_EQUAL(said, 1);
}

// Rank 1 computes while an exchange is on its way, and then rank 0 waits for it in a barrier.
BOOST_AUTO_TEST_CASE(time_that_a_rank_computes_meanwhile_is_hidden_not_waited) {
  const double least = 0.9 * std::chrono::duration<double>(kShort).count();
  run_ranks(2, [&](Communicator& ranks) {
    const bool computes = ranks.rank() == 1;
    const int peer = 1 - ranks.rank();
    std::vector<int> mine = {1}, other = {0};
    ranks.barrier({"start"});
    const double waited = ranks.waited_seconds();
    double hidden = ranks.hidden_seconds();
    Pending pending =
        ranks.exchange({{peer, bytes_of(mine)}}, {{peer, bytes_of(other)}}, {"values"});
    if (computes) std::this_thread::sleep_for(kShort);
    pending.wait();
    ranks.barrier({"middle"});
    const double counted =
        (computes ? ranks.hidden_seconds() : ranks.waited_seconds()) - (computes ? hidden : waited);
    hidden = ranks.hidden_seconds();
    if (computes) std::this_thread::sleep_for(kShort);  // with nothing on its way
    ranks.barrier({"end"});
    const double idle = ranks.hidden_seconds() - hidden;
    if (counted < least || idle > least / 2)
      throw InvalidArgument(str("rank ", ranks.rank(), ": ", counted, " s, then ", idle, " s"));
  });
}

// Groups of two and the whole work at the same time: no message takes another's place.
BOOST_AUTO_TEST_CASE(groups_are_independent_of_the_whole) {
  run_ranks(6, [](Communicator& ranks) {
    const int me = ranks.rank(), first = me / 2 * 2;
    const auto pair = ranks.group(first, 2);
    if (pair->size() != 2 || pair->rank() != me % 2) throw InvalidArgument("wrong group");
    for (int n = 0; n < 50; ++n) {
      std::vector<int> all(6), two(2);
      std::vector<std::span<std::byte>> of_all, of_two;
      for (std::size_t r = 0; r < 6; ++r)
        of_all.push_back(std::as_writable_bytes(std::span(all).subspan(r, 1)));
      for (std::size_t r = 0; r < 2; ++r)
        of_two.push_back(std::as_writable_bytes(std::span(two).subspan(r, 1)));
      all[static_cast<std::size_t>(me)] = two[static_cast<std::size_t>(me % 2)] = 10 * n + me;
      Pending whole = ranks.all_gather(of_all[static_cast<std::size_t>(me)], of_all, {"all", n});
      Pending part = pair->all_gather(of_two[static_cast<std::size_t>(me % 2)], of_two, {"two", n});
      (n % 2 == 0 ? whole : part).wait();
      (n % 2 == 0 ? part : whole).wait();
      for (int r = 0; r < 6; ++r)
        if (all[static_cast<std::size_t>(r)] != 10 * n + r) throw InvalidArgument("wrong values");
      for (int r = 0; r < 2; ++r)
        if (two[static_cast<std::size_t>(r)] != 10 * n + first + r)
          throw InvalidArgument("wrong values of the group");
    }
  });
}

// Rank 3 fails while rank 2 waits for it in their group and the others wait for both in the whole.
BOOST_AUTO_TEST_CASE(an_error_of_one_rank_reaches_its_group_and_the_others) {
  std::atomic<int> told = 0;
  const auto body = [&](Communicator& ranks) {
    const auto pair = ranks.group(ranks.rank() / 2 * 2, 2);
    if (ranks.rank() == 3) {
      ranks.leave("clip 7 cannot be read");
      throw IoError("clip 7 cannot be read");
    }
    try {
      (ranks.rank() == 2 ? *pair : ranks).barrier({"gradients", 1});
    } catch (const PeerError& error) {
      if (contains(error.what(), "rank 3") && contains(error.what(), "clip 7 cannot be read"))
        ++told;
      throw;
    }
  };
  BOOST_CHECK_THROW(run_ranks(4, body, std::chrono::seconds(20)), IoError);
  BOOST_CHECK_EQUAL(told, 3);
}

BOOST_AUTO_TEST_CASE(the_log_keeps_the_last_calls) {
  run_ranks(2, [](Communicator& ranks) {
    for (std::int64_t n = 0; n < 1500; ++n) ranks.barrier({"tick", n});
    const std::string text = ranks.log().text();
    const auto lines = std::count(text.begin(), text.end(), '\n');
    if (lines != 1024 || contains(text, "step 400:") || !contains(text, "step 1499:"))
      throw InvalidArgument("wrong log:\n" + text);
  });
}

BOOST_AUTO_TEST_CASE(ranks_out_of_range_are_refused) {
  BOOST_CHECK_THROW(run_ranks(2,
                              [](Communicator& ranks) {
                                ranks.exchange({{5, {}}}, {}, {"far"}).wait();
                              }),
                    InvalidArgument);
  BOOST_CHECK_THROW(run_ranks(0, [](Communicator&) {}), InvalidArgument);
}

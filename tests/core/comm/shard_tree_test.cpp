// The tree of sums: the same additions however the shards are divided over ranks.
#define BOOST_TEST_MODULE shard_tree
#include "eflow/core/comm/shard_tree.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

using namespace eflow;
using namespace eflow::comm;

namespace {

/// Adds by writing down the addition.
const auto kWrite = [](std::string* left, std::string right) {
  *left = "(" + *left + "+" + right + ")";
};

std::string sum_of(const ShardRange& range, std::int64_t shards, ShardSum<std::string>* into) {
  for (std::int64_t shard = range.first; shard < range.last; ++shard)
    into->add({0, shard}, std::to_string(shard), kWrite);
  return range.count() == shards ? into->root() : "";
}

std::string on_one_rank(std::int64_t shards) {
  ShardSum<std::string> sum(shards);
  return sum_of({0, shards}, shards, &sum);
}

}  // namespace

BOOST_AUTO_TEST_CASE(small_trees_by_hand) {
  BOOST_CHECK_EQUAL(on_one_rank(1), "0");
  BOOST_CHECK_EQUAL(on_one_rank(2), "(0+1)");
  BOOST_CHECK_EQUAL(on_one_rank(3), "((0+1)+2)");
  BOOST_CHECK_EQUAL(on_one_rank(4), "((0+1)+(2+3))");
  BOOST_CHECK_EQUAL(on_one_rank(6), "(((0+1)+(2+3))+(4+5))");
  BOOST_CHECK_EQUAL(on_one_rank(7), "(((0+1)+(2+3))+((4+5)+6))");
}

BOOST_AUTO_TEST_CASE(the_number_of_ranks_changes_no_addition) {
  for (std::int64_t shards = 1; shards <= 33; ++shards) {
    const std::string expected = on_one_rank(shards);
    for (int ranks = 1; ranks <= shards; ++ranks) {
      ShardSum<std::string> whole(shards);
      // In reverse, because messages come in any order.
      for (int rank = ranks; rank-- > 0;) {
        const ShardRange range = shards_of(rank, ranks, shards);
        ShardSum<std::string> own(shards);
        static_cast<void>(sum_of(range, shards, &own));
        std::vector<ShardNode> nodes;
        for (auto& [node, value] : own.nodes()) {
          nodes.push_back(node);
          whole.add(node, value, kWrite);
        }
        BOOST_CHECK(nodes == nodes_of(range, shards));
      }
      BOOST_REQUIRE_EQUAL(whole.root(), expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(aligned_shards_leave_one_sum_per_rank) {
  for (const int ranks : {1, 2, 4, 8}) {
    for (int rank = 0; rank < ranks; ++rank)
      BOOST_CHECK_EQUAL(nodes_of(shards_of(rank, ranks, 8), 8).size(), 1U);
  }
}

BOOST_AUTO_TEST_CASE(few_sums_are_held_at_once) {
  ShardSum<int> sum(1024);
  std::size_t most = 0;
  for (std::int64_t shard = 0; shard < 1024; ++shard) {
    sum.add({0, shard}, 1, [](int* left, int right) { *left += right; });
    most = std::max(most, sum.nodes().size());
  }
  BOOST_CHECK_EQUAL(sum.root(), 1024);
  BOOST_CHECK_LE(most, 10U);
}

BOOST_AUTO_TEST_CASE(every_rank_has_shards) {
  for (int ranks = 1; ranks <= 9; ++ranks) {
    std::int64_t next = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const ShardRange range = shards_of(rank, ranks, 9);
      BOOST_CHECK_EQUAL(range.first, next);
      BOOST_CHECK_GE(range.count(), 9 / ranks);
      BOOST_CHECK_LE(range.count(), 9 / ranks + 1);
      next = range.last;
    }
    BOOST_CHECK_EQUAL(next, 9);
  }
  BOOST_CHECK_THROW(static_cast<void>(shards_of(0, 4, 3)), InvalidArgument);
}

#pragma once
// The order in which the parts of a sum are added: a binary tree over V shards, the same for every
// number of ranks. Floating-point addition is not associative, so the tree is what makes a run on 1,
// 2, 4 or 8 ranks the same run.
//
// Node (level, index) is the sum of the shards [index 2^level, (index + 1) 2^level) that exist.

#include <compare>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

struct ShardNode {
  int level = 0;
  std::int64_t index = 0;
  friend auto operator<=>(const ShardNode&, const ShardNode&) = default;
};

/// A contiguous range of shards.
struct ShardRange {
  std::int64_t first = 0, last = 0;  ///< [first, last)
  [[nodiscard]] std::int64_t count() const { return last - first; }
};

/// The shards of one rank: contiguous, in rank order, their numbers differing by at most one. Throws
/// InvalidArgument if there are fewer shards than ranks.
[[nodiscard]] ShardRange shards_of(int rank, int ranks, std::int64_t shards);

/// Sums one value per shard in the order of the tree. At any time it holds at most log2(V) + 1
/// values if the shards come in order.
template <class Value>
class ShardSum {
 public:
  explicit ShardSum(std::int64_t shards) : shards_(shards) {}

  /// Adds a node and joins it with its siblings as far as they are there. merge(&left, right) adds
  /// the right value to the left one.
  template <class Merge>
  void add(ShardNode node, Value value, const Merge& merge) {
    for (;; ++node.level, node.index /= 2) {
      if ((std::int64_t{1} << node.level) >= shards_) break;  // the root
      const std::int64_t sibling = node.index ^ 1;
      if ((sibling << node.level) >= shards_) continue;  // no such shards: it moves up alone
      const auto found = nodes_.find({node.level, sibling});
      if (found == nodes_.end()) break;
      if (sibling < node.index) std::swap(found->second, value);
      merge(&value, std::move(found->second));
      nodes_.erase(found);
    }
    const bool fresh = nodes_.emplace(node, std::move(value)).second;
    EFLOW_ASSERT(fresh);
  }

  /// The nodes that wait for a sibling; only the root once all shards have been added.
  [[nodiscard]] std::map<ShardNode, Value>& nodes() { return nodes_; }
  /// The sum of all shards.
  [[nodiscard]] Value& root() {
    EFLOW_ASSERT(nodes_.size() == 1);
    return nodes_.begin()->second;
  }

 private:
  std::int64_t shards_;
  std::map<ShardNode, Value> nodes_;
};

/// The nodes that remain when the shards of a range have been added, in ascending order.
[[nodiscard]] std::vector<ShardNode> nodes_of(const ShardRange& range, std::int64_t shards);

}  // namespace eflow::comm

EFLOW_EXPORT_END

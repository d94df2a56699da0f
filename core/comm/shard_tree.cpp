#include "eflow/core/comm/shard_tree.hpp"

namespace eflow::comm {

ShardRange shards_of(int rank, int ranks, std::int64_t shards) {
  if (shards < ranks) {
    throw InvalidArgument(str("[ranks] train.shards is ", shards, ", but there are ", ranks,
                              " ranks; each needs at least one shard"));
  }
  return {shards * rank / ranks, shards * (rank + 1) / ranks};
}

std::vector<ShardNode> nodes_of(const ShardRange& range, std::int64_t shards) {
  struct Nothing {};
  ShardSum<Nothing> sum(shards);
  for (std::int64_t shard = range.first; shard < range.last; ++shard)
    sum.add({0, shard}, {}, [](Nothing*, Nothing) {});
  std::vector<ShardNode> nodes;
  for (const auto& [node, value] : sum.nodes()) nodes.push_back(node);
  return nodes;
}

}  // namespace eflow::comm

#include "eflow/trainer/ranks/bucket_sum.hpp"

#include <utility>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"

namespace eflow::trainer {
namespace {

const auto kAdd = [](Tensor* left, const Tensor& right) { add_(*left, right); };

/// The same part of several rows, one after the other; of a single row, the part itself.
Tensor joined(const std::map<comm::ShardNode, Tensor>& rows, const comm::ShardRange& part) {
  const Tensor& first = rows.begin()->second;
  const std::int64_t count = part.count();
  if (rows.size() == 1) return part_of(first, part.first, count);
  const auto number = static_cast<std::int64_t>(rows.size());
  const Tensor all = Tensor::empty({number * count}, first.dtype(), first.device());
  std::int64_t at = 0;
  for (const auto& [node, row] : rows) {
    part_of(all, at, count).assign(part_of(row, part.first, count));
    at += count;
  }
  return all;
}

}  // namespace

BucketSum::BucketSum(std::vector<comm::ShardRange> slices, const ShardDivision& division)
    : slices_(std::move(slices)), division_(division), sum_(division.shards) {}

void BucketSum::add(std::int64_t shard, const Tensor& row) {
  sum_.add({0, shard}, row, kAdd);
}

void BucketSum::start(std::int64_t step) {
  comm::Communicator* const ranks = division_.ranks;
  exchange_.reset(new Exchange{std::move(sum_.nodes()), {ranks, {"gradients", step}}, {}});
  sum_ = comm::ShardSum<Tensor>(division_.shards);
  if (ranks->size() == 1) return;

  const int me = ranks->rank();
  const std::int64_t own = slices_[static_cast<std::size_t>(me)].count();
  const Tensor& any = exchange_->own.begin()->second;
  for (int r = 0; r < ranks->size(); ++r) {
    const auto nodes = comm::nodes_of(division_.of(r), division_.shards).size();
    const std::int64_t count = r == me ? 0 : static_cast<std::int64_t>(nodes) * own;
    exchange_->received.push_back(Tensor::empty({count}, any.dtype(), any.device()));
    if (r == me) continue;
    exchange_->messages.send(r, joined(exchange_->own, slices_[static_cast<std::size_t>(r)]));
    exchange_->messages.receive(r, exchange_->received.back());
  }
  exchange_->messages.start();
}

Tensor BucketSum::finish() {
  EFLOW_ASSERT(exchange_ != nullptr);
  const std::unique_ptr<Exchange> exchange = std::move(exchange_);
  const int me = division_.ranks->rank(), size = division_.ranks->size();
  if (size == 1) return exchange->own.begin()->second;

  exchange->messages.finish();
  const comm::ShardRange& own = slices_[static_cast<std::size_t>(me)];
  // First the shards, then the parts of a clip: the number of lanes does not matter either.
  comm::ShardSum<Tensor> parts(division_.sequence);
  for (int s = 0; s < division_.sequence; ++s) {
    comm::ShardSum<Tensor> sum(division_.shards);
    for (int r = s; r < size; r += division_.sequence) {
      std::int64_t at = 0;
      for (const comm::ShardNode& node : comm::nodes_of(division_.of(r), division_.shards)) {
        const Tensor& theirs = exchange->received[static_cast<std::size_t>(r)];
        sum.add(node,
                r == me ? part_of(exchange->own.at(node), own.first, own.count())
                        : part_of(theirs, at, own.count()),
                kAdd);
        at += own.count();
      }
    }
    parts.add({0, s}, sum.root(), kAdd);
  }
  return parts.root();
}

}  // namespace eflow::trainer

#include "eflow/core/sequence/tensor_reduce.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/comm/shard_tree.hpp"
#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/core/sequence/tensor_messages.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::comm {
namespace {

/// The values that rank r adds, as a row that shares their memory.
Tensor part_of(const Tensor& x, int rank, int ranks) {
  const ShardRange slice = slice_of(rank, ranks, x.count());
  return x.view({slice.count()}, {1}, slice.first);
}

}  // namespace

void reduce_scatter(Communicator* ranks, const Tensor& x, const Call& call) {
  const int me = ranks->rank(), size = ranks->size();
  if (size == 1) return;
  EFLOW_ASSERT(x.is_contiguous());
  const NoGrad off;
  const Tensor mine = part_of(x, me, size);
  TensorMessages messages(ranks, call);
  std::vector<Tensor> parts;
  for (int r = 0; r < size; ++r) {
    parts.push_back(Tensor::empty(mine.shape(), x.dtype(), x.device()));
    if (r == me) continue;
    messages.send(r, part_of(x, r, size));
    messages.receive(r, parts.back());
  }
  messages.start();
  parts[static_cast<std::size_t>(me)].assign(mine);
  messages.finish();
  ShardSum<Tensor> sum(size);
  for (int r = 0; r < size; ++r) {
    sum.add({0, r}, parts[static_cast<std::size_t>(r)],
            [](Tensor* left, const Tensor& right) { add_(*left, right); });
  }
  mine.assign(sum.root());
}

void all_reduce(Communicator* ranks, const Tensor& x, const Call& call) {
  const int me = ranks->rank(), size = ranks->size();
  reduce_scatter(ranks, x, call);
  TensorMessages messages(ranks, call);
  for (int r = 0; r < size; ++r) {
    if (r == me) continue;
    messages.send(r, part_of(x, me, size));
    messages.receive(r, part_of(x, r, size));
  }
  messages.start();
  messages.finish();
}

void broadcast(Communicator* ranks, const Tensor& x, int root, const Call& call) {
  TensorMessages messages(ranks, call);
  for (int r = 0; r < ranks->size(); ++r) {
    if (ranks->rank() == root && r != root) messages.send(r, x);
  }
  if (ranks->rank() != root) messages.receive(root, x);
  messages.start();
  messages.finish();
}

}  // namespace eflow::comm

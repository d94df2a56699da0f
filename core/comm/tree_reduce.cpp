#include "eflow/core/comm/tree_reduce.hpp"

#include <algorithm>

namespace eflow::comm {
namespace {

template <class T>
std::span<T> part_of(std::span<T> values, int rank, int ranks) {
  const ShardRange slice = slice_of(rank, ranks, static_cast<std::int64_t>(values.size()));
  return values.subspan(static_cast<std::size_t>(slice.first),
                        static_cast<std::size_t>(slice.count()));
}

template <class T>
void scatter(Communicator* ranks, std::span<T> values, const Call& call) {
  const int size = ranks->size();
  const std::span<T> mine = part_of(values, ranks->rank(), size);
  std::vector<std::vector<T>> parts(static_cast<std::size_t>(size), std::vector<T>(mine.size()));
  std::vector<std::span<const std::byte>> to;
  std::vector<std::span<std::byte>> from;
  for (int r = 0; r < size; ++r) {
    to.push_back(std::as_bytes(part_of(values, r, size)));
    from.push_back(std::as_writable_bytes(std::span(parts[static_cast<std::size_t>(r)])));
  }
  ranks->all_to_all(to, from, call).wait();
  ShardSum<std::vector<T>> sum(size);
  for (int r = 0; r < size; ++r) {
    sum.add({0, r}, std::move(parts[static_cast<std::size_t>(r)]),
            [](std::vector<T>* left, std::vector<T> right) {
              std::transform(left->begin(), left->end(), right.begin(), left->begin(),
                             [](T a, T b) { return a + b; });
            });
  }
  std::copy(sum.root().begin(), sum.root().end(), mine.begin());
}

template <class T>
void reduce(Communicator* ranks, std::span<T> values, const Call& call) {
  scatter(ranks, values, call);
  std::vector<std::span<std::byte>> all;
  for (int r = 0; r < ranks->size(); ++r)
    all.push_back(std::as_writable_bytes(part_of(values, r, ranks->size())));
  ranks->all_gather(all[static_cast<std::size_t>(ranks->rank())], all, call).wait();
}

}  // namespace

ShardRange slice_of(int rank, int ranks, std::int64_t count) {
  return {count * rank / ranks, count * (rank + 1) / ranks};
}

void reduce_scatter(Communicator* ranks, std::span<float> values, const Call& call) {
  scatter(ranks, values, call);
}
void reduce_scatter(Communicator* ranks, std::span<double> values, const Call& call) {
  scatter(ranks, values, call);
}
void all_reduce(Communicator* ranks, std::span<float> values, const Call& call) {
  reduce(ranks, values, call);
}
void all_reduce(Communicator* ranks, std::span<double> values, const Call& call) {
  reduce(ranks, values, call);
}

}  // namespace eflow::comm

#include "eflow/trainer/step/held_out.hpp"

#include <algorithm>
#include <numeric>

#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/trainer/data/data_sets.hpp"

namespace eflow::trainer {
namespace {

constexpr std::uint64_t kSeed = 20260328;  // fixed, so that errors of different runs compare
constexpr std::int64_t kPart = 32;         // clips per forward pass; bounds the memory

}  // namespace

HeldOutError::HeldOutError(const io::ClipSource& source, std::int64_t clips,
                           const soflow::LogitNormal& law, int rank, int ranks)
    : law_(law) {
  const ClipTable table = choose_clips(source, clips, kSeed);
  const Tensor all = Tensor::from(table.values, table.shape);
  const comm::ShardRange own = comm::slice_of(rank, ranks, table.shape[0]);
  for (std::int64_t begin = own.first; begin < own.last; begin += kPart) {
    soflow::Batch part;
    const std::int64_t length = std::min(kPart, own.last - begin);
    part.x0 = narrow(all, 0, begin, length);
    part.indices.resize(static_cast<std::size_t>(length));
    std::iota(part.indices.begin(), part.indices.end(), begin);
    if (source.class_count() > 0) {
      part.labels.assign(table.labels.begin() + begin, table.labels.begin() + begin + length);
    }
    if (table.context.defined()) part.context = narrow(table.context, 0, begin, length);
    part.null_context = table.null_context;
    parts_.push_back(std::move(part));
  }
}

std::vector<double> HeldOutError::errors(const soflow::Network& network,
                                         const soflow::GuidanceOptions& guidance) const {
  std::vector<double> all;
  for (const soflow::Batch& part : parts_) {
    const soflow::PerSample some = soflow::held_out_error(network, part, law_, kSeed, guidance);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

double HeldOutError::measure(const soflow::Network& network,
                             const soflow::GuidanceOptions& guidance) const {
  return mean(errors(network, guidance));
}

double HeldOutError::mean(const std::vector<double>& errors) {
  return std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size());
}

}  // namespace eflow::trainer

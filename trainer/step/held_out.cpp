#include "eflow/trainer/step/held_out.hpp"

#include <algorithm>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/trainer/data/data_sets.hpp"

namespace eflow::trainer {
namespace {

constexpr std::uint64_t kSeed = 20260328;  // fixed, so that errors of different runs compare
constexpr std::int64_t kPart = 32;         // clips per forward pass; bounds the memory

}  // namespace

HeldOutError::HeldOutError(const io::ClipSource& source, std::int64_t clips,
                           const soflow::LogitNormal& law)
    : law_(law) {
  const ClipTable table = choose_clips(source, clips, kSeed);
  const Tensor all = Tensor::from(table.values, table.shape);
  const std::int64_t count = table.shape[0];
  for (std::int64_t begin = 0; begin < count; begin += kPart) {
    soflow::Batch part;
    const std::int64_t length = std::min(kPart, count - begin);
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

double HeldOutError::measure(const soflow::Network& network,
                             const soflow::GuidanceOptions& guidance) const {
  double total = 0, count = 0;
  for (const soflow::Batch& part : parts_) {
    for (const double error : soflow::held_out_error(network, part, law_, kSeed, guidance)) {
      total += error;
      count += 1;
    }
  }
  return total / count;
}

}  // namespace eflow::trainer

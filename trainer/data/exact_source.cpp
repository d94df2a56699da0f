#include "eflow/trainer/data/exact_source.hpp"

#include <algorithm>

namespace eflow::trainer {
namespace {

/// One draw of the flow: clip and context together.
struct Drawn {
  std::vector<double> clip, context;
  Drawn(const soflow::ExactFlow& flow, std::int64_t index)
      : clip(static_cast<std::size_t>(flow.basis().size())),
        context(static_cast<std::size_t>(flow.context_size())) {
    flow.draw(index, clip, context);
  }
};

void round_into(const std::vector<double>& from, std::span<float> to) {
  std::transform(from.begin(), from.end(), to.begin(),
                 [](double value) { return static_cast<float>(value); });
}

}  // namespace

Shape ExactSource::context_shape() const {
  return flow_.context_shape();
}

std::int32_t ExactSource::read(std::int64_t index, std::span<float> clip) const {
  round_into(Drawn(flow_, index).clip, clip);
  return 0;
}

void ExactSource::read_context(std::int64_t index, std::uint64_t /*draw*/,
                               std::span<float> context) const {
  round_into(Drawn(flow_, index).context, context);
}

}  // namespace eflow::trainer

#include "eflow/core/ops/partials.hpp"

#include <algorithm>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::detail {

std::int64_t rows_per_partial(const Device& device, std::int64_t width) {
  return std::clamp<std::int64_t>(rows_per_block(device, width), 16, 256);
}

std::vector<Tensor> sum_partials(const Tensor& partials) {
  const std::int64_t kinds = partials.size(0), batches = partials.size(1),
                     blocks = partials.size(2), width = partials.size(3);
  std::vector<Tensor> out;
  const bool together = blocks < kMayBeSplit;
  const Tensor all = blocks == 1 || !together ? partials : sum(partials, {2}, true);
  for (std::int64_t i = 0; i < kinds; ++i) {
    const Tensor kind = narrow(all, 0, i, 1);
    out.push_back(reshape(together ? kind : sum(kind, {2}, true), {batches, width}));
  }
  return out;
}

}  // namespace eflow::detail

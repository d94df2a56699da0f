#pragma once
// Sums of the partial sums that the blocks of a launch leave. Internal to core.

#include "eflow/core/tensor/tensor.hpp"

namespace eflow {
class Device;
}

namespace eflow::detail {

/// sum() may split the sum of so many or more, depending on how many sums there are: the order of
/// additions would depend on the number of kinds.
inline constexpr std::int64_t kMayBeSplit = 512;

/// Rows per block of a launch that leaves a partial sum per block: enough rows that those are small in
/// comparison, few enough for the second-level cache.
[[nodiscard]] std::int64_t rows_per_partial(const Device& device, std::int64_t width);

/// Sums partial sums [kinds, batches, blocks, D] over the blocks; returns [batches, D] for each kind.
/// One launch for all kinds, in the order in which each alone would be summed.
[[nodiscard]] std::vector<Tensor> sum_partials(const Tensor& partials);

}  // namespace eflow::detail

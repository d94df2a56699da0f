#pragma once
// Sums of the partial sums that the blocks of a launch leave. Internal to core.

#include "eflow/core/tensor/tensor.hpp"

namespace eflow::detail {

/// Sums partial sums [kinds, batches, blocks, D] over the blocks; returns [batches, D] for each kind.
/// One launch for all kinds, in the order in which each alone would be summed.
[[nodiscard]] std::vector<Tensor> sum_partials(const Tensor& partials);

}  // namespace eflow::detail

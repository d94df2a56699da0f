#pragma once
// Validation of index tensors: they are checked once on the host, because kernels do not check
// bounds. Internal to core.

#include <cstdint>
#include <string_view>
#include <vector>

#include "eflow/core/tensor/tensor.hpp"

namespace eflow::detail {

/// Returns the values of an i64 tensor. Throws InvalidArgument for another dtype or a value outside
/// [0, limit). `op` and `what` ("token") name the op and the index in messages. May wait for the
/// device.
[[nodiscard]] std::vector<std::int64_t> checked_indices(const Tensor& ids, std::int64_t limit,
                                                        std::string_view op, std::string_view what);

/// Returns, for each sample b and token n of [B, tokens], the m with ids[b, m] = n, or -1. ids:
/// checked values [B, M]. Throws InvalidArgument if an id is repeated within a sample.
[[nodiscard]] std::vector<std::int64_t> inverse_indices(const std::vector<std::int64_t>& ids,
                                                        std::int64_t batches, std::int64_t tokens,
                                                        std::string_view op);

}  // namespace eflow::detail

#pragma once
// Integer tensors that name rows: brought to the host and checked once, before a kernel trusts them.

#include <cstdint>
#include <string_view>
#include <vector>

#include "eflow/core/tensor.hpp"

namespace eflow::detail {

/// The values of an i64 tensor. Throws InvalidArgument naming `what` for another dtype or a value outside [0, limit).
[[nodiscard]] std::vector<std::int64_t> checked_indices(const Tensor& ids, std::int64_t limit,
                                                        std::string_view op, std::string_view what);

/// For each sample b and token n of [B, tokens]: the m with ids[b, m] = n, or -1. ids are the checked values of [B, M].
/// Throws InvalidArgument when a sample names a token twice.
[[nodiscard]] std::vector<std::int64_t> inverse_indices(const std::vector<std::int64_t>& ids,
                                                        std::int64_t batches, std::int64_t tokens,
                                                        std::string_view op);

}  // namespace eflow::detail

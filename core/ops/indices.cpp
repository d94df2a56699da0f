#include "eflow/core/ops/indices.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::detail {

std::vector<std::int64_t> checked_indices(const Tensor& ids, std::int64_t limit,
                                          std::string_view op, std::string_view what) {
  if (ids.dtype() != DType::kI64)
    throw InvalidArgument(str("[", op, "] ", what, "s are ", ids, "; expected i64"));
  std::vector<std::int64_t> values = ids.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] >= limit) {
      throw InvalidArgument(str("[", op, "] ", what, " ", values[i], " at position ", i,
                                " is outside [0, ", limit, ")"));
    }
  }
  return values;
}

std::vector<std::int64_t> inverse_indices(const std::vector<std::int64_t>& ids,
                                          std::int64_t batches, std::int64_t tokens,
                                          std::string_view op) {
  std::vector<std::int64_t> inverse(static_cast<std::size_t>(batches * tokens), -1);
  const std::int64_t chosen = batches ? static_cast<std::int64_t>(ids.size()) / batches : 0;
  for (std::int64_t b = 0; b < batches; ++b) {
    for (std::int64_t m = 0; m < chosen; ++m) {
      const std::int64_t id = ids[static_cast<std::size_t>(b * chosen + m)];
      std::int64_t& at = inverse[static_cast<std::size_t>(b * tokens + id)];
      if (at >= 0)
        throw InvalidArgument(str("[", op, "] token ", id, " appears twice in sample ", b));
      at = m;
    }
  }
  return inverse;
}

}  // namespace eflow::detail

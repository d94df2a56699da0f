#pragma once
// The list of all ops with the samples that they are checked on.

#include <span>

#include "eflow/core/op.hpp"

namespace eflow {

struct OpEntry {
  std::string_view name;
  bool differentiable;
  std::vector<Sample> (*samples)();
};

/// Every op, in a fixed order. Explicit, because a static library would drop units that register themselves.
[[nodiscard]] std::vector<OpEntry> all_ops();

namespace detail {

template <class Attrs>
[[nodiscard]] OpEntry entry_of(const OpDef<Attrs>& op) {
  return {op.name, op.vjp != nullptr, op.samples};
}

// One function a file of core/ops.
std::vector<OpEntry> elementwise_ops();
std::vector<OpEntry> layout_ops();
std::vector<OpEntry> reduce_ops();
std::vector<OpEntry> matmul_ops();
std::vector<OpEntry> linear_ops();
std::vector<OpEntry> attention_ops();
std::vector<OpEntry> glga_ops();
std::vector<OpEntry> norm_ops();
std::vector<OpEntry> rope_ops();
std::vector<OpEntry> softmax_ops();
std::vector<OpEntry> embedding_ops();
std::vector<OpEntry> tokens_ops();
std::vector<OpEntry> loss_ops();
std::vector<OpEntry> random_ops();

}  // namespace detail
}  // namespace eflow

#pragma once
// The list of all ops with their test samples. The op tests and the GPU agreement tests iterate
// over it.

#include <span>

#include "eflow/core/tensor/op.hpp"

namespace eflow {

/// An op without its attribute type.
struct OpEntry {
  std::string_view name = {};
  bool differentiable = false;
  std::vector<Sample> (*samples)() = nullptr;
};

/// Returns every op, in a fixed order. The list is explicit because a linker drops self-registering
/// units of a static library.
[[nodiscard]] std::vector<OpEntry> all_ops();

namespace detail {

/// Erases the attribute type of an op.
template <class Attrs>
[[nodiscard]] OpEntry entry_of(const OpDef<Attrs>& op) {
  return {op.name, op.vjp != nullptr, op.samples};
}

// One function per file of core/ops; to add an op, extend its family's list.
std::vector<OpEntry> elementwise_ops();
std::vector<OpEntry> layout_ops();
std::vector<OpEntry> reduce_ops();
std::vector<OpEntry> matmul_ops();
std::vector<OpEntry> linear_ops();
std::vector<OpEntry> attention_ops();
std::vector<OpEntry> glga_ops();
std::vector<OpEntry> norm_ops();
std::vector<OpEntry> rope_ops();
std::vector<OpEntry> qk_norm_ops();
std::vector<OpEntry> residual_norm_ops();
std::vector<OpEntry> softmax_ops();
std::vector<OpEntry> embedding_ops();
std::vector<OpEntry> tokens_ops();
std::vector<OpEntry> loss_ops();
std::vector<OpEntry> random_ops();

}  // namespace detail
}  // namespace eflow

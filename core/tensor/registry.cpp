#include "eflow/core/tensor/registry.hpp"

namespace eflow {

std::vector<OpEntry> all_ops() {
  using namespace detail;
  std::vector<OpEntry> out;
  for (const auto& family :
       {elementwise_ops, layout_ops, reduce_ops, matmul_ops, linear_ops, attention_ops, glga_ops,
        norm_ops, rope_ops, qk_norm_ops, residual_norm_ops, softmax_ops, embedding_ops, tokens_ops,
        loss_ops, random_ops}) {
    for (const OpEntry& op : family()) out.push_back(op);
  }
  return out;
}

}  // namespace eflow

#pragma once
// ContextMemory: the keys and values that a network computes from one context, kept for the passes
// of a sampler, which differ in x and t only.

#include <memory>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/cross_attention.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// For one model whose weights do not change, and one context. The first pass without gradients
/// fills it, later ones read it: 2 D values per token of the context, sample and block. Threads: one
/// pass at a time.
class ContextMemory {
 public:
  /// context [B, L, E]: what passes with this memory are given; they throw InvalidArgument for any
  /// other tensor.
  explicit ContextMemory(Tensor context) : context_(std::move(context)) {}
  [[nodiscard]] const Tensor& context() const { return context_; }

  /// The memory of the samples' unconditional context; nullptr until set.
  std::shared_ptr<ContextMemory> unconditional = {};

 private:
  friend class VideoDiT;
  Tensor context_;
  Tensor projected_;  ///< [B, L, D], the input of the blocks' cross-attention
  std::vector<ContextKeys> blocks_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END

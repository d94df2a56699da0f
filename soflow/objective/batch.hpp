#pragma once
// Batch: training samples with their global indices. A sample's loss group and all of its random
// numbers follow from its global index, so a run does not depend on how its samples are divided
// over ranks and micro-batches.

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

struct Batch {
  Tensor x0 = {};                          ///< [B, ...], the data
  std::vector<std::int64_t> indices = {};  ///< [B], position in the run's stream of samples
  std::vector<std::int64_t> labels = {};   ///< [B], or empty
  Tensor context = {};                     ///< [B, L, E] tokens of the condition, or undefined
  Tensor null_context = {};                ///< [L, E] of the null condition; undefined: zeros

  [[nodiscard]] std::size_t size() const { return indices.size(); }
  /// Returns the samples at these positions, in this order. Not recorded by autograd.
  [[nodiscard]] Batch rows(const std::vector<std::int64_t>& positions) const;
  /// Throws ShapeError if x0, indices, labels and context disagree on B.
  void check() const;
};

/// Returns the condition of a batch. Samples with dropped[i] become unconditioned: label
/// null_label and the null context.
[[nodiscard]] nn::Condition condition_of(const Batch& batch, const std::vector<bool>& dropped,
                                         std::int64_t null_label);

}  // namespace eflow::soflow

EFLOW_EXPORT_END

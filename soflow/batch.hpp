#pragma once
// Batch: training samples with what tells them apart. Which loss a sample gets, and all of its
// random numbers, follow from its global index, so that a run does not depend on how its samples
// are spread over ranks and micro-batches.

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

struct Batch {
  Tensor x0;                          ///< [B, ...]
  std::vector<std::int64_t> indices;  ///< [B] place of each sample in the run's stream of samples
  std::vector<std::int64_t> labels;   ///< [B], or empty
  Tensor context;                     ///< [B, L, E], or undefined

  [[nodiscard]] std::size_t size() const { return indices.size(); }
  /// The samples at these positions, in this order. Not recorded.
  [[nodiscard]] Batch rows(const std::vector<std::int64_t>& positions) const;
  /// Throws ShapeError where the sizes differ.
  void check() const;
};

/// What a network is told about a batch, with the condition of `dropped` samples taken away: label
/// null_label, context 0.
[[nodiscard]] nn::Condition condition_of(const Batch& batch, const std::vector<bool>& dropped,
                                         std::int64_t null_label);

}  // namespace eflow::soflow

#pragma once
// SourceSchedule: assigns every training step to one of several sources. Each source gets its share of
// every hundred steps, spread evenly. The assignment is a pure function of the step, so a resumed
// run repeats it.

#include <array>
#include <cstdint>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

class SourceSchedule {
 public:
  /// Shares of sources 1, 2, ..., each a positive multiple of 0.01. Source 0 gets the remainder,
  /// which must be positive. Throws InvalidArgument.
  explicit SourceSchedule(const std::vector<double>& shares);

  /// The source of this step, counted from 0.
  [[nodiscard]] std::size_t at(std::int64_t step) const;
  /// Number of steps before `step` that belong to `source`.
  [[nodiscard]] std::int64_t before(std::size_t source, std::int64_t step) const;

 private:
  std::array<std::size_t, 100> pattern_{};
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

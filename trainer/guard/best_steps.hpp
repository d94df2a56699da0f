#pragma once
// BestSteps: the held-out errors that a run has measured, and the checkpoints with the lowest.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

class BestSteps {
 public:
  /// Adds the error measured after a step; ignores one that is not finite.
  void note(std::int64_t step, double error);
  /// Adds those of complete lines of metrics.jsonl. Ignores lines that are not metrics.
  void catch_up(const std::string& lines);
  [[nodiscard]] std::optional<double> error_of(std::int64_t step) const;
  /// The `most` of `steps` with the lowest errors, of equal ones the earlier; those whose error is
  /// not known are left out.
  [[nodiscard]] std::vector<std::int64_t> best(std::vector<std::int64_t> steps,
                                               std::int64_t most) const;

 private:
  std::map<std::int64_t, double> errors_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END

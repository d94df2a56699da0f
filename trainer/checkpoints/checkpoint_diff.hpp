#pragma once
// What differs between two checkpoints.

#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct CheckpointDiff {
  std::vector<std::string> facts = {};   ///< step, options, data set, one line each
  std::vector<std::string> arrays = {};  ///< arrays that differ or only one has, one line each
  std::size_t equal = 0;                 ///< arrays with the same bits
  [[nodiscard]] bool empty() const { return facts.empty() && arrays.empty(); }
};

/// Compares descriptions and every array; holds one array of each in memory. Throws CorruptData,
/// IoError, CheckpointError.
[[nodiscard]] CheckpointDiff compare_checkpoints(const io::Checkpoint& a, const io::Checkpoint& b);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// The checkpoints of a run, with what is known about each without reading it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct ListedCheckpoint {
  std::int64_t step = 0;
  std::uint64_t bytes = 0;           ///< of its files
  std::optional<double> error = {};  ///< held-out error at its step, if metrics.jsonl has it
};

/// The folders of `run` that hold checkpoints: its stages in order, or itself. Throws CheckpointError
/// if there are none.
[[nodiscard]] std::vector<std::filesystem::path> run_folders(const std::filesystem::path& run);

/// The checkpoints in one of these folders, by step. Throws IoError.
[[nodiscard]] std::vector<ListedCheckpoint> list_checkpoints(const std::filesystem::path& folder);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

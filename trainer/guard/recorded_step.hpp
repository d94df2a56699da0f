#pragma once
// RecordedStep: the clips of one training step and what it computed. With the state before the step,
// a checkpoint in the same folder, it is a replay bundle: everything that `eflow replay` needs to
// repeat the step without the data set.

#include <filesystem>

#include "eflow/trainer/guard/recorded_clips.hpp"

namespace eflow::trainer {

/// Name of the file within a bundle.
inline constexpr const char* kRecordedStepName = "step.safetensors";

struct RecordedStep {
  std::int64_t step = 0;  ///< its number, from 1
  StepOutcome outcome = {};
  std::vector<RecordedClips> sources = {};
};

/// Writes the file atomically, with a checksum over all of it. Throws IoError, NoSpaceError.
void write_recorded_step(const std::filesystem::path& path, const RecordedStep& step);

/// Throws CorruptData naming the fault, IoError.
[[nodiscard]] RecordedStep read_recorded_step(const std::filesystem::path& path);

}  // namespace eflow::trainer

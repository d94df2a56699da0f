#pragma once
// Repeats a recorded training step: the same state, the same clips, the same random numbers.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/replay/find_nonfinite.hpp"
#include "eflow/trainer/run/say.hpp"
#include "eflow/trainer/step/trainer.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct ReplayReport {
  std::int64_t step = 0;
  StepOutcome recorded = {}, repeated = {};
  /// What differs, one line each; empty if loss, gradient norm and the loss of every clip have the
  /// same bits. All NaNs count as equal.
  std::vector<std::string> differences = {};
  /// Weights and moments that are not finite before the step, and clips that are not or whose values
  /// are far larger than those of the others, one line each.
  std::vector<std::string> odd_inputs = {};
  std::optional<NonFinite> first = {};  ///< where a value that is not finite first arises
};

/// Repeats the step of a replay bundle on the default device, twice: as the run took it, and watching
/// every op. Needs no data set; a run of anyflow-on-policy needs its teacher. Throws CheckpointError
/// if the folder is no replay bundle, CorruptData if it is damaged, and what the parts of a run
/// throw.
[[nodiscard]] ReplayReport replay_step(const std::filesystem::path& bundle, const Say& say);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

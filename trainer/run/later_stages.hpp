#pragma once
// Stages that no longer follow from the stage before them: an earlier stage was trained on, trained
// again or removed after they began. Found before anything is trained.

#include <array>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/trainer/run/say.hpp"
#include "eflow/trainer/run/stages.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// What to do with them.
enum class LaterStages {
  kRefuse,  ///< throw
  kKeep,    ///< leave them as they are, with a warning
  kRedo,    ///< move their folders aside, so that they are trained again
};
inline constexpr std::array<std::string_view, 3> kLaterStagesNames = {"refuse", "keep", "redo"};
[[nodiscard]] constexpr std::string_view name_of(LaterStages what) {
  return kLaterStagesNames[static_cast<std::size_t>(what)];
}

/// Compares each stage that has checkpoints with the averaged weights that it began from. Throws
/// CheckpointError that names the stages, the steps and the remedies (kRefuse), and IoError if a
/// folder cannot be moved or another process trains in it (kRedo).
void check_later_stages(const std::vector<Stage>& stages, LaterStages what, const Say& say);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

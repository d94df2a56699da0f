#pragma once
// Staged runs. A configuration file may have sections [stage1], [stage2], ..., each of which
// overrides keys of the rest of the file:
//
//   [stage2]
//   train.iterations = 50000
//   data.dir = latents-480p
//
// Each stage is a run of its own in the folder stage-N. It starts from the averaged weights of the
// stage before it and may name an earlier stage as its teacher. All stages share one model; the
// data set, and with it the token grid, may differ.

#include <filesystem>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/options/option_parser.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct Stage {
  Config config = {};
  std::filesystem::path out = {};  ///< folder of the stage's run
};

/// The stages of a parsed configuration: `base` with each stage's overrides, in OUT/stage-N.
/// Without stages, `base` in OUT. Reports mistakes to parser->add_problem().
[[nodiscard]] std::vector<Stage> stages_of(const Config& base, OptionParser* parser,
                                           const std::filesystem::path& out);

/// The folder of the last stage of `run` that has checkpoints, or `run` if it has no stages.
[[nodiscard]] std::filesystem::path last_stage(const std::filesystem::path& run);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

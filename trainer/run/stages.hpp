#pragma once
// Staged runs. A configuration file may have sections [stage1], [stage2], ..., each of which
// overrides keys of the rest of the file:
//
//   [stage2]
//   train.iterations = 50000
//   data.dir = latents-480p
//
// Each stage has a folder stage-N of its own. It starts from the averaged weights of the stage
// before it and may name an earlier stage as its teacher. All stages share one model; the data set,
// and with it the token grid, may differ. Together they are one run: r(k) counts the steps of all
// stages, and the order of the clips, noise and times differ by stage.

#include <cstdint>
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

/// The seed of a stage that does not set train.seed: `seed` for stage 1, another for each later one.
[[nodiscard]] std::uint64_t stage_seed(std::uint64_t seed, std::int64_t stage);

/// The stages of a parsed configuration: `base` with each stage's overrides, in OUT/stage-N.
/// Without stages, `base` in OUT. Reports mistakes to parser->add_problem(), among them a value of
/// the command line that a stage's section would override.
[[nodiscard]] std::vector<Stage> stages_of(const Config& base, OptionParser* parser,
                                           const std::filesystem::path& out);

/// The folder of the last stage of `run` that has checkpoints, or `run` if it has no stages.
[[nodiscard]] std::filesystem::path last_stage(const std::filesystem::path& run);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Staged runs. A configuration file may have sections [stage1], [stage2], ...: each repeats keys of
// the rest with other values, like
//
//   [stage2]
//   train.iterations = 50000
//   data.dir = latents-480p
//
// and becomes a run of its own in the folder stage-2, which starts with the averaged weights of the
// stage before, and may name an earlier one as its teacher. The shape of the model stays; data, and with them the token grid, may change.

#include <filesystem>
#include <set>

#include "eflow/trainer/config.hpp"
#include "eflow/trainer/option_parser.hpp"

namespace eflow::trainer {

struct Stage {
  Config config;
  std::filesystem::path out;
};

/// The stages of a parsed configuration: base with each stage's values, in OUT/stage-N; OUT itself
/// where there are none. Mistakes go to parser->add_problem().
[[nodiscard]] std::vector<Stage> stages_of(const Config& base, OptionParser* parser,
                                           const std::filesystem::path& out);

/// OUT/stage-N.
[[nodiscard]] std::filesystem::path stage_folder(const std::filesystem::path& out,
                                                 std::int64_t stage);
/// The last stage under a run's folder that has checkpoints, or the folder itself.
[[nodiscard]] std::filesystem::path last_stage(const std::filesystem::path& run);

}  // namespace eflow::trainer

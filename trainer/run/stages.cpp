#include "eflow/trainer/run/stages.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::trainer {
namespace {

/// Applies one override to `config`. Returns an error message, or "".
std::string apply(const StageSetting& setting, Config* config) {
  if (setting.key.starts_with("model."))
    return str(setting.place, "[stage", setting.stage, "] ", setting.key,
               ": the model must be the same in all stages");
  const auto options = options_of(*config);
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const Option& option) { return option.key == setting.key; });
  if (found == options.end()) {
    const std::string near = nearest_key(options, setting.key);
    return str(setting.place, "[stage", setting.stage, "] unknown option '", setting.key, "'",
               near.empty() ? "" : "; did you mean '" + near + "'?");
  }
  const std::string problem = set_option(*found, setting.value);
  return problem.empty() ? "" : str(setting.place, "[stage", setting.stage, "] ", problem);
}

std::filesystem::path stage_folder(const std::filesystem::path& out, std::int64_t stage) {
  return out / str("stage-", stage);
}

}  // namespace

std::filesystem::path last_stage(const std::filesystem::path& run) {
  std::filesystem::path last = run;
  for (std::int64_t n = 1; path_exists(RunDirectory(stage_folder(run, n)).checkpoints()); ++n) {
    // A stage that has just begun has none yet.
    const io::CheckpointStore store(RunDirectory(stage_folder(run, n)).checkpoints());
    if (n == 1 || !store.list().empty()) last = stage_folder(run, n);
  }
  return last;
}

std::vector<Stage> stages_of(const Config& base, OptionParser* parser,
                             const std::filesystem::path& out) {
  std::vector<Stage> stages;
  std::int64_t count = 0;
  for (const StageSetting& setting : parser->stage_settings())
    count = std::max(count, setting.stage);
  if (count == 0) return {{base, out}};
  for (std::int64_t n = 1; n <= count; ++n) {
    Stage stage{base, stage_folder(out, n)};
    if (n > 1) stage.config.train.init_from = stage_folder(out, n - 1).string();
    int given = 0;
    for (const StageSetting& setting : parser->stage_settings()) {
      if (setting.stage != n) continue;
      ++given;
      const std::string problem = apply(setting, &stage.config);
      if (!problem.empty()) parser->add_problem(problem);
    }
    std::string& teacher = stage.config.anyflow.teacher;
    for (std::int64_t earlier = 1; earlier < n; ++earlier) {
      if (teacher == str("stage-", earlier)) teacher = stage_folder(out, earlier).string();
    }
    if (given == 0)
      parser->add_problem(str("[stage", n, "] is missing; the last stage is [stage", count, "]"));
    stages.push_back(std::move(stage));
  }
  return stages;
}

}  // namespace eflow::trainer

#include "eflow/trainer/run/stages.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::trainer {
namespace {

constexpr std::uint64_t kSeedLimit = 1'000'000'000'000'000;  // the largest train.seed

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

/// Whether the section of a stage sets this key.
bool stage_sets(const OptionParser& parser, std::int64_t stage, const std::string& key) {
  const auto& all = parser.stage_settings();
  return std::any_of(all.begin(), all.end(), [&](const StageSetting& setting) {
    return setting.stage == stage && setting.key == key;
  });
}

/// A section of the file overrides the rest of the file, but not the command line: the user could
/// not see that the value has no effect there.
void refuse_overridden(OptionParser* parser) {
  const auto& all = parser->stage_settings();
  for (const StageSetting& setting : all) {
    const bool settled = std::any_of(all.begin(), all.end(), [&](const StageSetting& other) {
      return !other.in_file && other.stage == setting.stage && other.key == setting.key;
    });
    if (!setting.in_file || settled || !parser->on_command_line(setting.key)) continue;
    parser->add_problem(str(setting.place, "[stage", setting.stage, "] sets ", setting.key, " = ",
                            setting.value, ", which overrides the command line's ", setting.key,
                            "; use --stage", setting.stage, ".", setting.key,
                            "=VALUE for this stage"));
  }
}

/// r(k) counts the steps of all stages, except where r_from or r_steps is given.
void join_ratio_schedules(const OptionParser& parser, std::vector<Stage>* stages) {
  std::int64_t total = 0;
  for (const Stage& stage : *stages) total += stage.config.train.iterations;
  std::int64_t before = 0, n = 0;
  for (Stage& stage : *stages) {
    ++n;
    soflow::RatioSchedule& ratio = stage.config.objective.ratio;
    const auto given = [&](const char* key) {
      return parser.given(key) || stage_sets(parser, n, key);
    };
    if (!given("objective.r_from")) ratio.first = before;
    if (!given("objective.r_steps")) ratio.iterations = total;
    before += stage.config.train.iterations;
  }
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

std::uint64_t stage_seed(std::uint64_t seed, std::int64_t stage) {
  if (stage <= 1) return seed;
  const std::array<std::uint64_t, 2> key = {seed, static_cast<std::uint64_t>(stage)};
  return hash64(std::as_bytes(std::span(key))) % kSeedLimit;
}

std::vector<Stage> stages_of(const Config& base, OptionParser* parser,
                             const std::filesystem::path& out) {
  std::vector<Stage> stages;
  std::int64_t count = 0;
  for (const StageSetting& setting : parser->stage_settings())
    count = std::max(count, setting.stage);
  if (count == 0) return {{base, out}};
  refuse_overridden(parser);
  for (std::int64_t n = 1; n <= count; ++n) {
    Stage stage{base, stage_folder(out, n)};
    if (n > 1) stage.config.train.init_from = stage_folder(out, n - 1).string();
    stage.config.train.seed = stage_seed(base.train.seed, n);
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
  join_ratio_schedules(*parser, &stages);
  return stages;
}

}  // namespace eflow::trainer

#include "eflow/trainer/checkpoints/prune.hpp"

#include <map>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/checkpoints/checkpoint_list.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/guard/best_steps.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::trainer {
namespace fs = std::filesystem;
namespace {

bool same_place(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

/// Stages of the run that `folder` is a stage of, without itself.
std::vector<fs::path> other_stages(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  if (!whole.filename().string().starts_with("stage-")) return {};
  std::vector<fs::path> stages;
  for (std::int64_t n = 1; path_exists(whole.parent_path() / str("stage-", n)); ++n) {
    const fs::path stage = whole.parent_path() / str("stage-", n);
    if (!same_place(stage, whole)) stages.push_back(stage);
  }
  return stages;
}

using Reasons = std::map<std::int64_t, std::string>;

/// Checkpoints that another stage began from, or whose folder its configuration names.
void add_needed_by(const fs::path& stage, const fs::path& folder, const io::CheckpointStore& store,
                   Reasons* reasons) {
  const RunDirectory other(stage);
  if (path_exists(other.config())) {
    const Config config = stored_config(read_file(other.config()), other.config().string());
    for (const std::int64_t step : store.list()) {
      for (const std::string& named : {config.train.init_from, config.anyflow.teacher}) {
        if (!named.empty() && same_place(named, store.path_of(step)))
          reasons->emplace(step, str("named by ", stage.filename().string()));
      }
    }
  }
  const auto begun = io::CheckpointStore(other.checkpoints()).latest_good();
  if (!begun) return;
  const RunHistory history = info_of(*begun).history;
  for (const auto& origin : {history.init, history.teacher}) {
    if (origin && same_place(origin->run, folder))
      reasons->emplace(origin->step, str(stage.filename().string(), " began from it"));
  }
}

/// Why checkpoints must not be removed.
Reasons needed_in(const fs::path& folder, const io::CheckpointStore& store) {
  Reasons reasons;
  const auto newest = store.latest_good();
  if (!newest)
    throw CheckpointError(str("[prune] ", store.path_of(0).parent_path().string(),
                              ": no checkpoint is intact; nothing was removed"));
  reasons.emplace(newest->step(), "newest intact");
  for (const fs::path& stage : other_stages(folder)) add_needed_by(stage, folder, store, &reasons);
  return reasons;
}

void add_by_rules(const std::vector<ListedCheckpoint>& all, const PruneRules& rules,
                  Reasons* reasons) {
  BestSteps errors;
  std::vector<std::int64_t> steps;
  for (const ListedCheckpoint& one : all) {
    steps.push_back(one.step);
    if (one.error) errors.note(one.step, *one.error);
  }
  for (const std::int64_t step : errors.best(steps, rules.best))
    reasons->emplace(step, "among the best");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (static_cast<std::int64_t>(steps.size() - i) <= rules.last)
      reasons->emplace(steps[i], "among the newest");
    if (rules.every > 0 && steps[i] % rules.every == 0)
      reasons->emplace(steps[i], str("multiple of ", rules.every));
  }
}

}  // namespace

std::vector<PrunedCheckpoint> prune_checkpoints(const fs::path& folder, const PruneRules& rules,
                                                bool dry_run) {
  if (rules.last < 1 || rules.every < 0 || rules.best < 0)
    throw InvalidArgument(str("[prune] expected at least 1 newest checkpoint to keep, found ",
                              rules.last, "; and 0 or more for the other rules"));
  std::optional<FileLock> lock;
  if (!dry_run) lock.emplace(folder / "run.lock");
  io::CheckpointStore store(RunDirectory(folder).checkpoints());
  Reasons reasons = needed_in(folder, store);
  const std::vector<ListedCheckpoint> all = list_checkpoints(folder);
  add_by_rules(all, rules, &reasons);
  std::vector<PrunedCheckpoint> pruned;
  for (const ListedCheckpoint& one : all) {
    const auto reason = reasons.find(one.step);
    pruned.push_back(
        {one.step, one.bytes, reason == reasons.end() ? std::string() : reason->second});
    if (pruned.back().kept.empty() && !dry_run) store.remove(one.step);
  }
  return pruned;
}

}  // namespace eflow::trainer

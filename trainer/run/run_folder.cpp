#include "eflow/trainer/run/run_folder.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::trainer {
namespace {

constexpr std::uint64_t kMaxMetrics = 1ull << 36;  // bytes of metrics.jsonl

std::int64_t step_of(const std::optional<io::Checkpoint>& checkpoint) {
  return checkpoint ? checkpoint->step() : 0;
}

}  // namespace

RunFolder::RunFolder(const Config& config, const DataInfo& data, RunDirectory* directory,
                     const std::optional<io::Checkpoint>& checkpoint, std::uint64_t checkpoint_size,
                     const std::string& pending, const Say& say, std::function<void()> lost)
    : config_(config), data_(data), directory_(*directory), lost_(std::move(lost)) {
  set_aside_after(step_of(checkpoint), say);
  require_space(checkpoint_size);
  open_metrics(checkpoint, pending, say);
  if (step_of(checkpoint) > 0) best_.catch_up(metrics_text());
  write_descriptions();
}

/// With a copy of their metrics: a later resume must not take them for this run's.
void RunFolder::set_aside_after(std::int64_t step, const Say& say) const {
  const auto folder = io::CheckpointStore(directory_.checkpoints()).set_aside_after(step);
  if (!folder) return;
  if (path_exists(directory_.metrics()))
    std::filesystem::copy_file(directory_.metrics(), *folder / "metrics.jsonl");
  say(str("moved the checkpoints after step ", step, " to ", folder->string()));
}

/// Less those that the folder holds now and that saves will replace. One more exists while a save is
/// in progress.
void RunFolder::require_space(std::uint64_t checkpoint_size) const {
  const CheckpointConfig& c = config_.checkpoint;
  const std::uint64_t most = static_cast<std::uint64_t>(c.keep + c.keep_best) + 1;
  const io::CheckpointStore store(directory_.checkpoints(),
                                  io::Retention{static_cast<int>(c.keep), c.keep_every, {}});
  const std::uint64_t replaced = std::min<std::uint64_t>(store.replaceable(), most - 1);
  require_free_space(directory_.path(), (most - replaced) * checkpoint_size);
}

/// A checkpoint of another run comes without history, so the metrics then begin after it.
void RunFolder::open_metrics(const std::optional<io::Checkpoint>& checkpoint,
                             const std::string& pending, const Say& say) {
  const std::int64_t step = step_of(checkpoint);
  if (checkpoint && !path_exists(directory_.metrics())) {
    say(str("no metrics for steps 1 to ", step, ": metrics.jsonl begins with step ", step + 1));
    write_file_atomically(directory_.metrics(), "");
  }
  const auto lines = std::count(pending.begin(), pending.end(), '\n');
  metrics_.emplace(directory_.metrics(), step - lines);
  metrics_->append_lines(pending);
}

void RunFolder::write_descriptions() const {
  write_file_atomically(directory_.config(), to_ini(config_));
  write_file_atomically(directory_.data_info(), to_json(data_));
}

std::string RunFolder::metrics_text() const {
  return read_file(directory_.metrics(), kMaxMetrics);
}

void RunFolder::append(const StepMetrics& metrics) {
  if (metrics.eval_mse) best_.note(metrics.step, *metrics.eval_mse);
  moves_.attempt(str("could not restore ", directory_.path().string()), [&] { keep(); });
  lines_.attempt("could not write metrics.jsonl (lines are kept in memory)",
                 [&] { metrics_->append(metrics); });
}

void RunFolder::keep() {
  const auto place = directory_.place();
  if (place == RunDirectory::Place::kMoved) {
    const std::string before = directory_.path().string();
    directory_.follow();
    log_warning("[run] ", before, " was moved; the run goes on in ", directory_.path().string());
    write_descriptions();
  } else if (place == RunDirectory::Place::kGone) {
    directory_.open_for_training();
    write_descriptions();
    log_warning("[run] ", directory_.path().string(),
                " was removed, with its checkpoints; the run goes on in a new folder there");
    lost_();
  }
  if (place != RunDirectory::Place::kHere || !metrics_->is_at(directory_.metrics()))
    metrics_->move_to(directory_.metrics());
}

io::Retention RunFolder::retention(const std::set<std::int64_t>& saving) const {
  const CheckpointConfig& c = config_.checkpoint;
  io::Retention kept{static_cast<int>(c.keep), c.keep_every, {}};
  if (c.keep_best == 0) return kept;
  std::set<std::int64_t> steps = saving;
  for (const std::int64_t step : io::CheckpointStore(directory_.checkpoints()).list())
    steps.insert(step);
  kept.keep = best_.best({steps.begin(), steps.end()}, c.keep_best);
  return kept;
}

SaveRequest RunFolder::request(const io::Retention& kept, RunHistory history) {
  auto lines = std::make_shared<FileDescriptor>();
  lines_.attempt("could not write metrics.jsonl (lines are kept in memory)",
                 [&] { *lines = metrics_->flush(); });
  history.pending_metrics = metrics_->pending();
  const std::filesystem::path& run = directory_.path();
  return {.store = io::CheckpointStore(directory_.checkpoints(), kept),
          .metadata = metadata_of(config_, data_, history),
          .extras = extra_arrays(data_),
          .before = [this, lines, run, id = id_of_folder(run)] {  // on the saving thread
            if (lines->valid()) {
              syncs_.attempt("could not make metrics.jsonl durable",
                             [&] { sync_file(*lines, RunDirectory(run).metrics()); });
            }
            if (id_of_folder(run) != id)
              throw IoError(str("[run] ", run.string(), " was moved or removed"));
          }};
}

}  // namespace eflow::trainer

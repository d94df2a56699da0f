#include "eflow/trainer/checkpoints/checkpoint_list.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/guard/best_steps.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::trainer {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxMetrics = 1ull << 36;

/// 0 for files that vanish meanwhile.
std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const auto size = it->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

bool has_checkpoints(const fs::path& folder) {
  const fs::path checkpoints = RunDirectory(folder).checkpoints();
  return path_exists(checkpoints) && !io::CheckpointStore(checkpoints).list().empty();
}

}  // namespace

std::vector<fs::path> run_folders(const fs::path& run) {
  std::vector<fs::path> folders;
  for (std::int64_t n = 1; path_exists(run / str("stage-", n)); ++n) {
    if (has_checkpoints(run / str("stage-", n))) folders.push_back(run / str("stage-", n));
  }
  if (folders.empty() && has_checkpoints(run)) folders.push_back(run);
  if (folders.empty())
    throw CheckpointError(str("[checkpoints] ", run.string(),
                              ": no run with checkpoints; expected the folder of a run"));
  return folders;
}

std::vector<ListedCheckpoint> list_checkpoints(const fs::path& folder) {
  const RunDirectory run(folder);
  BestSteps errors;
  if (path_exists(run.metrics())) errors.catch_up(read_file(run.metrics(), kMaxMetrics));
  const io::CheckpointStore store(run.checkpoints());
  std::vector<ListedCheckpoint> all;
  for (const std::int64_t step : store.list())
    all.push_back({step, bytes_in(store.path_of(step)), errors.error_of(step)});
  return all;
}

}  // namespace eflow::trainer

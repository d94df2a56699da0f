// The checkpoints of a run: saving, listing, choosing and pruning them.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/io/checkpoint/divided_save.hpp"
#include "eflow/io/checkpoint/state_file.hpp"
#include "eflow/io/checkpoint/step_folder.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

/// The largest of the ascending `steps` that is not in `skipped`.
std::optional<std::int64_t> newest_except(const std::vector<std::int64_t>& steps,
                                          const std::set<std::int64_t>& skipped) {
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (!skipped.contains(*step)) return *step;
  }
  return std::nullopt;
}

/// When an entry of the folder was last added or removed; a fixed time if that is unknown.
fs::file_time_type changed_at(const fs::path& folder) {
  std::error_code ignored;
  return fs::last_write_time(folder, ignored);
}

}  // namespace

CheckpointStore::CheckpointStore(fs::path directory, Retention retention)
    : directory_(std::move(directory)), retention_(retention) {
  if (retention_.keep_last < 1 || retention_.keep_every < 0) {
    throw InvalidArgument(str("[checkpoint] keep_last is ", retention_.keep_last,
                              ", expected 1 or more; keep_every is ", retention_.keep_every,
                              ", expected 0 or more"));
  }
}

fs::path CheckpointStore::path_of(std::int64_t step) const {
  return directory_ / name_of_step(step);
}

fs::path CheckpointStore::save(std::int64_t step, std::span<const NamedBytes> arrays,
                               const std::string& metadata_json) {
  check_saved_arrays(step, arrays);
  for (const NamedBytes& array : arrays) require_whole(array);
  DividedSave save(*this, step, bound_of_save(arrays, 1, metadata_json));
  const std::string report = write_save_part(save.folder(), step, {}, arrays);
  return save.publish(std::span(&report, 1), metadata_json);
}

std::vector<std::int64_t> CheckpointStore::list() const {
  std::vector<std::int64_t> steps;
  for (const fs::directory_entry& entry : entries_of(directory_)) {
    const auto step = step_of_name(entry.path().filename().string());
    // The type is the one read with the entry, even if another process has just removed it: a
    // checkpoint that vanishes unseen would make the list look empty.
    std::error_code ignored;
    if (step && entry.is_directory(ignored)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<Checkpoint> CheckpointStore::latest_good() const {
  std::set<std::int64_t> skipped, tried_again;
  const auto skip = [&](std::int64_t step, const Error& reason) {
    log_warning("[checkpoint] skipping step ", step, ": ", reason.what());
    skipped.insert(step);
  };
  for (int retries = 2;;) {
    const auto before = changed_at(directory_);
    const auto step = newest_except(list(), skipped);
    if (!step) {
      // While a writer replaces one checkpoint by another, a listing may show neither.
      if (retries-- == 0) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (changed_at(directory_) != before) retries = std::max(retries, 2);  // it is at work
      continue;
    }
    try {
      Checkpoint checkpoint(path_of(*step));
      checkpoint.verify();
      return checkpoint;
    } catch (const CorruptData& e) {
      skip(*step, e);
    } catch (const MissingCheckpoint& e) {
      // Gone as a whole: another process has pruned it and holds a newer one, so list again. It
      // may also have replaced it while its files were being opened.
      std::error_code ignored;
      if (!fs::exists(path_of(*step), ignored)) {
        retries = 20;
      } else if (!tried_again.insert(*step).second) {
        skip(*step, e);
      }
    }
  }
}

std::optional<fs::path> CheckpointStore::set_aside_after(std::int64_t step) {
  std::vector<std::int64_t> steps = list();
  std::erase_if(steps, [step](std::int64_t s) { return s <= step; });
  if (steps.empty()) return std::nullopt;
  fs::path folder;
  for (int n = 1; folder.empty() || fs::exists(folder); ++n) {
    folder = directory_ / str("set-aside-", n);
  }
  if (::mkdir(folder.c_str(), 0777) != 0) throw_errno("create", folder.string());
  for (const std::int64_t s : steps) rename_durably(path_of(s), folder / name_of_step(s));
  return folder;
}

void CheckpointStore::remove_leftovers() const {
  for (const fs::directory_entry& entry : entries_of(directory_)) {
    const fs::path& path = entry.path();
    if (!is_temporary_name(path.filename().string())) continue;
    const FileDescriptor lock = claim_abandoned(path);
    if (!lock.valid()) continue;  // in use
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

void CheckpointStore::apply_retention(std::int64_t newest) const {
  std::vector<std::int64_t> steps;
  try {
    steps = list();
  } catch (const IoError& e) {  // the new checkpoint is committed; the next save prunes
    log_warning("[checkpoint] old checkpoints are kept for now: ", e.what());
  }
  // Steps after the one just saved belong to an earlier attempt; they neither count nor get
  // removed.
  std::erase_if(steps, [newest](std::int64_t step) { return step > newest; });
  const auto keep = static_cast<std::size_t>(retention_.keep_last);
  for (std::size_t i = 0; i + keep < steps.size(); ++i) {
    if (!is_milestone(steps[i])) remove_folder(path_of(steps[i]));
  }
}

bool CheckpointStore::is_milestone(std::int64_t step) const {
  const auto& keep = retention_.keep;
  return (retention_.keep_every > 0 && step % retention_.keep_every == 0) ||
         std::find(keep.begin(), keep.end(), step) != keep.end();
}

void CheckpointStore::remove(std::int64_t step) {
  remove_folder(path_of(step));
  if (fs::exists(path_of(step)))
    throw IoError(str("[checkpoint] cannot remove ", path_of(step).string()));
}

std::size_t CheckpointStore::replaceable() const {
  const std::vector<std::int64_t> steps = list();
  return static_cast<std::size_t>(std::count_if(
      steps.begin(), steps.end(), [this](std::int64_t step) { return !is_milestone(step); }));
}

}  // namespace eflow::io

// Saves checkpoints: everything is written, synced and read back in a temporary directory, which a
// single rename then publishes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"
#include "eflow/io/checkpoint/state_file.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-", kTemporary = ".tmp-";
/// Names tried for a temporary directory; another container's process may have the same id.
constexpr int kNames = 1000;

std::string name_of_step(std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

/// Parses a directory name; nullopt unless it is exactly what name_of_step() produces.
std::optional<std::int64_t> step_of_name(const std::string& name) {
  std::int64_t step = 0;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const char* end = name.data() + name.size();
  const auto [stop, code] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (code != std::errc() || stop != end || name_of_step(step) != name) return std::nullopt;
  return step;
}

/// The entries of a directory; none if it does not exist. Throws IoError: a directory that cannot be
/// read is not an empty one.
std::vector<fs::directory_entry> entries_of(const fs::path& directory) {
  std::vector<fs::directory_entry> entries;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    entries.push_back(*it);
  }
  if (!code || code == std::errc::no_such_file_or_directory) return entries;
  errno = code.value();  // from which throw_errno() chooses the exception
  throw_errno("list", directory.string());
}

/// The largest of the ascending `steps` that is not in `skipped`.
std::optional<std::int64_t> newest_except(const std::vector<std::int64_t>& steps,
                                          const std::set<std::int64_t>& skipped) {
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (!skipped.contains(*step)) return *step;
  }
  return std::nullopt;
}

FileDescriptor open_directory(const fs::path& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// A directory to fill, removed on destruction unless it was renamed. It is locked while it is
/// being written. The kernel releases the lock when the process dies, so the next save can tell an
/// abandoned directory from one in use; see claim_abandoned() for file systems without locks.
class TemporaryDirectory {
 public:
  TemporaryDirectory(const fs::path& parent, const std::string& name) {
    static std::atomic<unsigned> counter{0};
    for (int tries = 0; tries < kNames; ++tries) {
      path_ = parent / str(name, kTemporary, ::getpid(), "-", counter++);
      if (::mkdir(path_.c_str(), 0777) != 0) {
        if (errno == EEXIST) continue;
        throw_errno("create", path_.string());
      }
      lock_ = open_directory(path_);
      // Between mkdir and lock, another save may have taken the directory for a leftover.
      if (lock_.valid() && try_lock(lock_, path_) != LockState::kBusy && fs::exists(path_)) return;
    }
    throw IoError(str("[checkpoint] ", parent.string(), ": all ", kNames,
                      " names tried for a temporary directory are taken; remove the directories ",
                      name, kTemporary, "*"));
  }
  ~TemporaryDirectory() {
    std::error_code code;
    fs::remove_all(path_, code);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  FileDescriptor lock_;
};

void check_arrays(std::int64_t step, std::span<const NamedBytes> arrays) {
  if (step < 0) throw InvalidArgument(str("[checkpoint] step ", step, " is negative"));
  std::set<std::string> names;
  for (const NamedBytes& array : arrays) {
    check_array_name(array.name);
    if (!names.insert(array.name).second) {
      throw InvalidArgument(str("[checkpoint] duplicate array name ", array.name));
    }
    const auto bytes =
        static_cast<std::uint64_t>(element_count(array.shape)) * size_of(array.dtype);
    if (bytes != array.bytes.size()) {
      throw InvalidArgument(str("[checkpoint] array ", array.name, ": ", array.shape, " ",
                                array.dtype, " takes ", bytes, " bytes, but ", array.bytes.size(),
                                " were given"));
    }
  }
}

void write_checkpoint(const fs::path& directory, std::int64_t step,
                      std::span<const NamedBytes> arrays, const std::string& metadata) {
  const StateLayout layout = write_state_file(directory / kStateName, arrays);
  CheckpointManifest manifest;
  manifest.step = step;
  manifest.metadata = metadata;
  manifest.state_bytes = layout.bytes;
  manifest.structure_hash = layout.structure_hash;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const NamedBytes& a = arrays[i];
    manifest.arrays.push_back(
        {{a.name, a.dtype, a.shape, layout.offsets[i], a.bytes.size()}, hash128(a.bytes)});
  }
  write_file_atomically(directory / kManifestName, to_json(manifest));
  Checkpoint(directory).verify();  // reads the files back
  sync_directory(directory);
}

/// For file systems that cannot exchange two names: the old directory is renamed away and back if
/// the new one cannot take its place.
void replace_in_two_steps(const fs::path& temporary, const fs::path& final) {
  fs::path away = temporary;
  away += "-old";
  rename_durably(final, away);
  try {
    rename_durably(temporary, final);
  } catch (...) {
    static_cast<void>(::rename(away.c_str(), final.c_str()));
    throw;
  }
  std::error_code ignored;
  fs::remove_all(away, ignored);
}

/// Renames `temporary` to `final`. If `final` exists, exchanges the two names in one system call:
/// there is no moment without a checkpoint, and the old one is removed with the temporary
/// directory.
void commit(const fs::path& temporary, const fs::path& final) {
  if (!fs::exists(final)) return rename_durably(temporary, final);
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, final.c_str(), RENAME_EXCHANGE) == 0) {
    return sync_directory(final.parent_path());
  }
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
    throw_errno("replace", final.string());
  }
  replace_in_two_steps(temporary, final);
}

/// Removes a checkpoint. It is renamed first, so that a kill in between leaves a temporary
/// directory rather than an incomplete checkpoint.
void remove_checkpoint(const fs::path& path) {
  fs::path away = path;
  away += std::string(kTemporary) + "removed";
  std::error_code code;
  fs::remove_all(away, code);
  fs::rename(path, away, code);
  if (!code) fs::remove_all(away, code);
  if (code) log_warning("[checkpoint] cannot remove ", path.string(), ": ", code.message());
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
  check_arrays(step, arrays);
  std::error_code code;
  fs::create_directories(directory_, code);
  if (code) throw IoError(str("[checkpoint] ", directory_.string(), ": ", code.message()));
  remove_leftovers();
  // The manifest takes about 250 bytes per array in addition to its name.
  require_free_space(directory_, state_file_bound(arrays) + (64 << 10) + 512 * arrays.size() +
                                     2 * metadata_json.size());
  const fs::path final = path_of(step);
  {
    const TemporaryDirectory temporary(directory_, name_of_step(step));
    write_checkpoint(temporary.path(), step, arrays, metadata_json);
    commit(temporary.path(), final);
  }
  apply_retention(step);
  return final;
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
  std::set<std::int64_t> skipped;
  const auto skip = [&](std::int64_t step, const Error& reason) {
    log_warning("[checkpoint] skipping step ", step, ": ", reason.what());
    skipped.insert(step);
  };
  for (int retries = 2;;) {
    const auto step = newest_except(list(), skipped);
    if (!step) {
      // While a writer replaces one checkpoint by another, a listing may show neither.
      if (retries-- == 0) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    try {
      Checkpoint checkpoint(path_of(*step));
      checkpoint.verify();
      return checkpoint;
    } catch (const CorruptData& e) {
      skip(*step, e);
    } catch (const MissingCheckpoint& e) {
      // Gone as a whole: another process has pruned it and holds a newer one, so list again.
      std::error_code ignored;
      if (fs::exists(path_of(*step), ignored)) {
        skip(*step, e);
      } else {
        retries = 20;
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
    const std::string name = path.filename().string();
    const std::size_t mark = name.find(kTemporary);
    if (mark == std::string::npos || !step_of_name(name.substr(0, mark))) continue;
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
    if (!is_milestone(steps[i])) remove_checkpoint(path_of(steps[i]));
  }
}

bool CheckpointStore::is_milestone(std::int64_t step) const {
  const auto& keep = retention_.keep;
  return (retention_.keep_every > 0 && step % retention_.keep_every == 0) ||
         std::find(keep.begin(), keep.end(), step) != keep.end();
}

void CheckpointStore::remove(std::int64_t step) {
  remove_checkpoint(path_of(step));
  if (fs::exists(path_of(step)))
    throw IoError(str("[checkpoint] cannot remove ", path_of(step).string()));
}

std::size_t CheckpointStore::replaceable() const {
  const std::vector<std::int64_t> steps = list();
  return static_cast<std::size_t>(std::count_if(
      steps.begin(), steps.end(), [this](std::int64_t step) { return !is_milestone(step); }));
}

}  // namespace eflow::io

#pragma once
// A run's folder: config.ini (resolved), data.json, metrics.jsonl, checkpoints/step-N/,
// samples/step-N.png and .webp, replay/step-N/, quarantine.jsonl, run.lock. This file defines the names and the lock only; the writer
// of each file defines its contents.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Tells folders apart that have had the same name: device and inode.
using FolderId = std::pair<std::uint64_t, std::uint64_t>;
/// Throws IoError.
[[nodiscard]] FolderId id_of_folder(const std::filesystem::path& path);

class RunDirectory {
 public:
  enum class Place { kHere, kMoved, kGone };

  /// Touches nothing on disk.
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  /// Creates missing folders and holds run.lock until destruction. Throws IoError if a folder
  /// cannot be created or another process is training in this run.
  void open_for_training();
  /// Where the folder that open_for_training() opened is now.
  [[nodiscard]] Place place() const;
  /// Makes path() the folder's new place. Throws IoError.
  void follow();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path config() const { return path_ / "config.ini"; }
  [[nodiscard]] std::filesystem::path data_info() const { return path_ / "data.json"; }
  [[nodiscard]] std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  [[nodiscard]] std::filesystem::path samples() const { return path_ / "samples"; }
  /// The damaged clips that batches have had.
  [[nodiscard]] std::filesystem::path quarantine() const { return path_ / "quarantine.jsonl"; }
  /// samples/step-N, without the suffix .png or .webp.
  [[nodiscard]] std::filesystem::path preview(std::int64_t step) const;
  /// replay/step-N, the replay bundle of a step.
  [[nodiscard]] std::filesystem::path replay(std::int64_t step) const;

 private:
  std::filesystem::path path_;
  std::optional<FileLock> lock_;
  FileDescriptor folder_;
};

/// Whether `path` exists. Throws IoError if that cannot be found out: a folder that cannot be read
/// is not a missing one.
[[nodiscard]] bool path_exists(const std::filesystem::path& path);

/// Creates a folder and its parents (mkdir -p). Throws NoSpaceError or IoError naming the path.
void make_directories(const std::filesystem::path& path);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

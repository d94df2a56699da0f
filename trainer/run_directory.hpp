#pragma once
// A run's folder: config.ini (resolved), metrics.jsonl, checkpoints/step-N/, samples/step-N.png and
// .webp, run.lock. Only names and the lock are here; who writes a file decides what is in it.

#include <cstdint>
#include <filesystem>
#include <optional>

#include "eflow/base/atomic_file.hpp"

namespace eflow::trainer {

class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  /// Creates the folders that are missing and takes run.lock until destruction.
  /// Throws IoError if they cannot be made or another process trains here.
  void open_for_training();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path config() const { return path_ / "config.ini"; }
  [[nodiscard]] std::filesystem::path data_info() const { return path_ / "data.json"; }
  [[nodiscard]] std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  [[nodiscard]] std::filesystem::path samples() const { return path_ / "samples"; }
  /// samples/step-N, to which .png and .webp are added.
  [[nodiscard]] std::filesystem::path preview(std::int64_t step) const;

 private:
  std::filesystem::path path_;
  std::optional<FileLock> lock_;
};

/// mkdir -p. Throws NoSpaceError or IoError with the path.
void make_directories(const std::filesystem::path& path);

}  // namespace eflow::trainer

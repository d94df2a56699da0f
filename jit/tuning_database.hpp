#pragma once
// TuningDatabase: records of the tuner below the disk cache, one JSON file each, published by a rename. A file that cannot
// be read, is of another schema or does not belong to its name is as if it were not there.
//
//   <root>/v1/tune/<digits of the device>/<kernel>/<digest>.json
//   <root>/v1/tune/<digits of the device>/lock          who tunes on this device: one process at a time

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eflow/base/atomic_file.hpp"
#include "eflow/jit/tuning_record.hpp"

namespace eflow::jit {

/// Threads and processes: everything may be called at once.
class TuningDatabase {
 public:
  /// `root`: of the disk cache. Nothing is made before the first put.
  explicit TuningDatabase(std::filesystem::path root) : base_(std::move(root) / "v1/tune") {}

  /// The record of this key, whatever texts and toolchain it is of; else nullopt and why.
  [[nodiscard]] std::optional<TuningRecord> get(const TuningKey& key, std::string& why) const;
  /// Throws IoError.
  void put(const TuningRecord& record) const;
  /// Whether anything was ever tuned for this kernel on this device: no more than a look for a directory.
  [[nodiscard]] bool has_any(const std::string& device, const std::string& arch,
                             const std::string& kernel) const;

  /// Held while tuning: two tuners on one device would time each other. Throws IoError when another process has it.
  [[nodiscard]] FileLock lock(const std::string& device, const std::string& arch) const;

  /// All records that can be read, by path. unsound is told of each file that cannot; may be empty.
  using Unsound = std::function<void(const std::filesystem::path&, const std::string& why)>;
  [[nodiscard]] std::vector<TuningRecord> all(const Unsound& unsound = {}) const;

  /// All records as one JSON file, to give to other ranks or machines. Returns how many. Throws IoError.
  std::size_t export_to(const std::filesystem::path& file) const;
  /// Puts every sound, finished record of such a file in place of ours. Returns how many. Throws IoError, CorruptData.
  std::size_t import_from(const std::filesystem::path& file, const Unsound& unsound = {}) const;

 private:
  [[nodiscard]] std::filesystem::path device_folder(const std::string& device,
                                                    const std::string& arch) const;
  [[nodiscard]] std::filesystem::path path_of(const TuningKey& key) const;
  std::filesystem::path base_;
};

}  // namespace eflow::jit

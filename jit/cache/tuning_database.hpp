#pragma once
// TuningDatabase: the tuner's records, one JSON file each, below the root of the disk cache. Files
// are published by rename. A file that is unreadable, has another schema, fails its checksum or does
// not match its name is ignored.
//
//   <root>/v1/tune/<hash of the device>/<kernel>/<digest>.json
//   <root>/v1/tune/<hash of the device>/lock   held while a process tunes on this device

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/tuning_record.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Threads and processes: all members may be called concurrently.
class TuningDatabase {
 public:
  /// `root` is the disk cache's root. Directories are created by the first put().
  explicit TuningDatabase(std::filesystem::path root) : base_(std::move(root) / "v1/tune") {}

  /// The record for `key`, whatever texts and toolchain its times are of; nullopt with the reason
  /// in `why` if there is none.
  [[nodiscard]] std::optional<TuningRecord> get(const TuningKey& key, std::string& why) const;
  /// Writes or replaces a record. Throws IoError.
  void put(const TuningRecord& record) const;
  /// Whether any record exists for this kernel on this device. Cheap: tests for a directory.
  [[nodiscard]] bool has_any(const std::string& device, const std::string& arch,
                             const std::string& kernel) const;

  /// The lock to hold while tuning, since two tuners on one device would disturb each other's
  /// timings. Throws IoError if another process holds it.
  [[nodiscard]] FileLock lock(const std::string& device, const std::string& arch) const;

  /// Receives each file that could not be read, with the reason; may be empty.
  using Unsound = std::function<void(const std::filesystem::path&, const std::string& why)>;
  /// All readable records, ordered by path.
  [[nodiscard]] std::vector<TuningRecord> all(const Unsound& unsound = {}) const;

  /// Records as one JSON text, and back: every valid record of it.
  [[nodiscard]] static std::string to_json(const std::vector<TuningRecord>& records);
  /// `file` is for messages. Throws CorruptData if the text is not what to_json() returns.
  [[nodiscard]] static std::vector<TuningRecord> from_json(const std::string& text,
                                                           const std::filesystem::path& file,
                                                           const Unsound& unsound = {});
  /// Writes all records to one JSON file for other ranks or machines. Returns their number. Throws
  /// IoError.
  std::size_t export_to(const std::filesystem::path& file) const;
  /// Imports every valid, finished record of such a file, replacing existing ones. Returns their
  /// number. `file` may be a pack. Throws IoError or CorruptData.
  std::size_t import_from(const std::filesystem::path& file, const Unsound& unsound = {}) const;

 private:
  [[nodiscard]] std::filesystem::path device_folder(const std::string& device,
                                                    const std::string& arch) const;
  [[nodiscard]] std::filesystem::path path_of(const TuningKey& key) const;
  std::filesystem::path base_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

#pragma once
// Pack: many artifacts in one read-only file, for shipping compiled kernels. A machine with a
// compiler looks artifacts up by the full request. A machine without one looks them up by text,
// specialisation and target, and accepts any compiler's output.
//
//   magic 8 | schema 8 | count 8 | checksum of all before the containers that follows 16
//   | offset of the tuning records 8 | their size 8 | their checksum 16   (schema 1 has none of these)
//   | index: count x { key 32 | portable key 32 | offset 8 | size 8 }, sorted by key
//   | containers (artifact.hpp) | tuning records, as `eflow jit tune export` writes them

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/artifact.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// A pack, open for reading. Its index is in memory; containers are read when needed. It is not
/// mapped, because a file that another process cuts short or overwrites meanwhile would end this
/// process with SIGBUS; here it is a corrupt entry. Threads: all members may be called concurrently.
class Pack {
 public:
  /// Opens a pack. Returns nullptr and sets `why` if the file is missing or corrupt.
  [[nodiscard]] static std::unique_ptr<Pack> open(const std::filesystem::path& path,
                                                  std::string& why);
  ~Pack();

  /// The artifact of exactly this request; nullptr with the reason in `why` if absent or corrupt.
  [[nodiscard]] ArtifactPtr get(const Key& key, std::string_view request, std::string& why) const;
  /// The first artifact by key whose request starts with these bytes
  /// (BuildRequest::portable_bytes); nullptr with the reason in `why` if there is none.
  [[nodiscard]] ArtifactPtr get_portable(std::string_view portable, std::string& why) const;

  /// Reads the tuning records, JSON as TuningDatabase::to_json returns it; empty if there are none.
  /// Throws IoError, and CorruptData if their checksum does not match.
  [[nodiscard]] std::string tuning() const;

  [[nodiscard]] std::size_t size() const;
  /// The bytes of the i-th container, not validated. Throws IoError, CorruptData.
  [[nodiscard]] std::string container(std::size_t i) const;
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  Pack();
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a pack durably and atomically, with tuning records or without. Of artifacts with the same key
/// only the first is written. Throws IoError.
void write_pack(const std::filesystem::path& path, const std::vector<ArtifactPtr>& artifacts,
                std::string_view tuning = "");

}  // namespace eflow::jit

EFLOW_EXPORT_END

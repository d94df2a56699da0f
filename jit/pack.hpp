#pragma once
// Pack: many artifacts in one read-only file, to ship compiled kernels or to carry them into CI. A machine that has the
// compiler asks by the full request; one that has none asks for the same text, specialisation and target by whatever
// compiler built it.
//
//   magic 8 | schema 8 | count 8 | checksum of the index 16 | index: count x { key 32 | portable key 32 | offset 8 | size 8 }
//   | containers (artifact.hpp). The index is sorted by key.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eflow/jit/artifact.hpp"

namespace eflow::jit {

/// Threads: all members may be called at once.
class Pack {
 public:
  /// nullptr, and the reason in `why`, when the file is missing or unsound.
  [[nodiscard]] static std::unique_ptr<Pack> open(const std::filesystem::path& path,
                                                  std::string& why);
  ~Pack();

  /// The artifact of exactly this request; else nullptr and the reason.
  [[nodiscard]] ArtifactPtr get(const Key& key, std::string_view request, std::string& why) const;
  /// An artifact whose request begins with these portable bytes (BuildRequest::portable_bytes), the first by key.
  [[nodiscard]] ArtifactPtr get_portable(std::string_view portable, std::string& why) const;

  [[nodiscard]] std::size_t size() const;
  /// The i-th container, unchecked.
  [[nodiscard]] std::string_view container(std::size_t i) const;
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  Pack();
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a pack durably and atomically. Of artifacts with one key the first counts. Throws IoError.
void write_pack(const std::filesystem::path& path, const std::vector<ArtifactPtr>& artifacts);

}  // namespace eflow::jit

#pragma once
// Sequential reading of .tar (plain, gzip, bzip2, xz, zstd) and .zip files through libarchive.
// Internal to io. Without libarchive, opening one throws.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace eflow::io {

/// Whether this build reads archives.
[[nodiscard]] bool has_archives();

class Archive {
 public:
  /// Throws IoError; CorruptData if the file is no archive; InvalidArgument without libarchive.
  explicit Archive(const std::filesystem::path& path);
  Archive(Archive&&) noexcept;
  Archive& operator=(Archive&&) noexcept;
  ~Archive();

  /// Goes to the next regular file; returns false at the end. Throws CorruptData.
  bool next();
  [[nodiscard]] const std::string& name() const;
  /// Reads all of the file, once. Throws CorruptData if it is damaged or has more than `limit`
  /// bytes; memory never exceeds that, whatever the archive says.
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t limit);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

inline constexpr std::uint64_t kMaxMember = 1ull << 30;

}  // namespace eflow::io

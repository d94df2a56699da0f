#pragma once
// Atomic publication of a file by rename: readers see all of it or nothing. It does not wait for
// the disk; a file damaged by a power cut is detected by its checksum. Internal to jit.

#include <filesystem>
#include <string_view>

namespace eflow::jit {

/// Prefix of temporary file names.
inline constexpr std::string_view kTemporaryPrefix = ".tmp.";

/// Writes a temporary next to `path` (mode 0600) and renames it. Throws IoError and removes the
/// temporary on failure.
void publish(const std::filesystem::path& path, std::string_view content);

}  // namespace eflow::jit

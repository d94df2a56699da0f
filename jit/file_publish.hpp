#pragma once
// Publishing a file so that readers see all of it or none, without waiting for the disk: what a power cut leaves behind
// is found by its checksum. Internal to jit.

#include <filesystem>
#include <string_view>

namespace eflow::jit {

/// What temporaries' names begin with.
inline constexpr std::string_view kTemporaryPrefix = ".tmp.";

/// Writes a temporary beside `path` (0600) and renames it. Throws IoError; the temporary is then gone.
void publish(const std::filesystem::path& path, std::string_view content);

}  // namespace eflow::jit

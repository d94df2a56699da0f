#pragma once
// Checksummed JSON documents, and typed access to JSON fields with errors that name file and field.
// Internal to io.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "eflow/core/base/error.hpp"

namespace eflow::io {

/// Serialises `object` with an added field "checksum": the XXH3-128 of its text without that field
/// (keys sorted, no white space).
[[nodiscard]] std::string with_checksum(nlohmann::json object);

/// Whether `text` is valid UTF-8, which JSON strings must be.
[[nodiscard]] bool is_utf8(std::string_view text);

inline constexpr int kMaxJsonDepth = 32;                 ///< levels of arrays and objects
inline constexpr std::int64_t kMaxJsonValues = 4 << 20;  ///< keys and values in a document

/// Throws CorruptData if `text` nests deeper than kMaxJsonDepth or holds more than kMaxJsonValues
/// keys and values. Reads the text once and allocates nothing, so call it before parsing: copying
/// and printing a parsed document recurse once per level.
void check_json_bounds(std::string_view text, const std::filesystem::path& path);

/// Parses a document written by with_checksum() and checks its format name, version and checksum.
/// Throws CorruptData, or InvalidArgument if the version is too new.
[[nodiscard]] nlohmann::json parse_checked(const std::string& text, const std::string& format,
                                           int version, const std::filesystem::path& path);

/// Returns the field as a T. Throws CorruptData if it is missing or has another type.
template <class T>
[[nodiscard]] T field(const nlohmann::json& object, const char* name,
                      const std::filesystem::path& path) {
  try {
    return object.at(name).get<T>();
  } catch (const nlohmann::json::exception& e) {
    throw CorruptData(str("[json] ", path.string(), ", field \"", name, "\": ", e.what()));
  }
}

}  // namespace eflow::io

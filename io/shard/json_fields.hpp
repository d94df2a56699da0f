#pragma once
// Checksummed JSON documents, and typed access to JSON fields with errors that name file and field.
// Internal to io.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "eflow/core/base/error.hpp"

namespace eflow::io {

/// Serialises `object` with an added field "checksum": the XXH3-128 of its text without that field
/// (keys sorted, no white space).
[[nodiscard]] std::string with_checksum(nlohmann::json object);

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

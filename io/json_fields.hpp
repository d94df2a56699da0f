#pragma once
// Typed access to a JSON object that says which file and field is wrong, and checksummed JSON
// documents. Internal to io.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "eflow/base/error.hpp"

namespace eflow::io {

/// `object` with a field "checksum": XXH3-128 of its own text without that field (keys sorted, no
/// spaces).
[[nodiscard]] std::string with_checksum(nlohmann::json object);

/// Parses a document of with_checksum and checks format name, version and checksum. Throws
/// CorruptData, or InvalidArgument for a version that is too new.
[[nodiscard]] nlohmann::json parse_checked(const std::string& text, const std::string& format,
                                           int version, const std::filesystem::path& path);

/// The field as a T. Throws CorruptData if it is missing or of another type.
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

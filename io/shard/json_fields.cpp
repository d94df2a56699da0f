#include "eflow/io/shard/json_fields.hpp"

#include "eflow/core/base/hash.hpp"

namespace eflow::io {
namespace {

std::string checksum_of(const nlohmann::json& object) {
  const std::string text = object.dump();
  return to_hex(hash128(std::as_bytes(std::span(text.data(), text.size()))));
}

}  // namespace

std::string with_checksum(nlohmann::json object) {
  object.erase("checksum");
  object["checksum"] = checksum_of(object);
  return object.dump(1) + "\n";
}

nlohmann::json parse_checked(const std::string& text, const std::string& format, int version,
                             const std::filesystem::path& path) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    throw CorruptData(str("[json] ", path.string(), ": ", e.what()));
  }
  const auto found_format = field<std::string>(object, "format", path);
  if (found_format != format) {
    throw CorruptData(str("[json] ", path.string(), ": format is \"", found_format,
                          "\", expected \"", format, "\""));
  }
  const auto expected = field<std::string>(object, "checksum", path);
  object.erase("checksum");
  if (const std::string found = checksum_of(object); found != expected) {
    throw CorruptData(str("[json] ", path.string(), ": checksum is ", found, ", expected ",
                          expected, "; the file is damaged or was edited by hand"));
  }
  // After the checksum: a flipped bit in the version is damage, not a newer eflow.
  const auto found_version = field<std::int64_t>(object, "version", path);
  if (found_version > version) {
    throw InvalidArgument(str("[json] ", path.string(), ": version is ", found_version,
                              ", but this program reads versions up to ", version,
                              "; use a newer eflow"));
  }
  return object;
}

}  // namespace eflow::io

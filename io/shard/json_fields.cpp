#include "eflow/io/shard/json_fields.hpp"

#include "eflow/core/base/hash.hpp"

namespace eflow::io {
namespace {

std::string checksum_of(const nlohmann::json& object) {
  const std::string text = object.dump();
  return to_hex(hash128(std::as_bytes(std::span(text.data(), text.size()))));
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned lead = byte(i);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || length > text.size() - i) return false;
    unsigned code = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
      code = code << 6 | (byte(i + k) & 0x3f);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    i += length;
  }
  return true;
}

void check_json_bounds(std::string_view text, const std::filesystem::path& path) {
  int depth = 0;
  std::int64_t values = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;  // the escaped character cannot end the string
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    values += c == ',' || c == ':' || c == '[' || c == '{';
    if (depth > kMaxJsonDepth || values > kMaxJsonValues) {
      throw CorruptData(str("[json] ", path.string(), ", byte ", i, ": ",
                            depth > kMaxJsonDepth ? "the arrays and objects nest deeper than "
                                                  : "the document has more values than ",
                            depth > kMaxJsonDepth ? kMaxJsonDepth : kMaxJsonValues,
                            "; the file is damaged, or eflow did not write it"));
    }
  }
}

std::string with_checksum(nlohmann::json object) {
  object.erase("checksum");
  object["checksum"] = checksum_of(object);
  return object.dump(1) + "\n";
}

nlohmann::json parse_checked(const std::string& text, const std::string& format, int version,
                             const std::filesystem::path& path) {
  check_json_bounds(text, path);
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    throw CorruptData(str("[json] ", path.string(), ": ", e.what()));
  }
  const auto found_format = field<std::string>(object, "format", path);
  if (found_format != format) {
    throw CorruptData(str("[json] ", path.string(), ": format is \"", found_format,
                          "\", expected \"", format, "\"; choose another folder"));
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

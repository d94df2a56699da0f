#include "eflow/io/dataset/class_names.hpp"

#include <map>
#include <string_view>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"

namespace eflow::io {
namespace {

constexpr std::uint64_t kMaxBytes = 16 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// The lines of a text that ends them with LF, CR LF or CR, without the blanks around each.
std::vector<std::string> trimmed_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t");
    lines.emplace_back(first == line.npos ? "" : line.substr(first, last - first + 1));
    text.remove_prefix(end);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : text.empty() ? 0 : 1);
  }
  return lines;
}

/// What is wrong with a name, or an empty string.
std::string fault_of(const std::string& name) {
  if (name.empty()) return "the name is empty";
  if (!is_utf8(name)) {
    return "the name is not UTF-8; save the file as UTF-8, for example with iconv -f latin1 -t "
           "utf-8";
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 32 || c == 127)
      return "the name contains a control character; expected plain text, one name per line";
  }
  return "";
}

/// Checks the names; `place` prefixes their numbers, counted from `first`, in messages.
void check_names(const std::vector<std::string>& names, const std::string& place, int first) {
  std::map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto refuse = [&](const std::string& what) {
      throw InvalidArgument(
          str("[names] ", place, i + static_cast<std::size_t>(first), ": ", what));
    };
    if (const std::string fault = fault_of(names[i]); !fault.empty()) refuse(fault);
    const auto [other, is_new] = seen.emplace(names[i], i);
    if (!is_new) {
      refuse(str("\"", names[i], "\" already names class ", other->second,
                 "; give every class a name of its own"));
    }
  }
}

}  // namespace

std::vector<std::string> read_class_names(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxBytes);
  std::string_view rest = text;
  if (rest.starts_with("\xff\xfe") || rest.starts_with("\xfe\xff")) {
    throw InvalidArgument(str("[names] ", path.string(),
                              " is UTF-16; save it as UTF-8, for example",
                              " with iconv -f utf-16 -t utf-8"));
  }
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> names = trimmed_lines(rest);
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty()) {
    throw InvalidArgument(
        str("[names] ", path.string(), " holds no names; expected one class name per line"));
  }
  check_names(names, str(path.string(), ", line "), 1);
  return names;
}

void check_class_names(const std::vector<std::string>& names) {
  check_names(names, "class ", 0);
}

}  // namespace eflow::io

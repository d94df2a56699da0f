#include "eflow/jit/kernel/include_scan.hpp"

#include <cctype>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

/// The text as the preprocessor sees lines: comments become a space, continued lines are joined,
/// string literals are kept. Each newline of the text yields one newline, so line numbers remain
/// correct (those of joined lines follow the joined line).
std::string plain_lines(std::string_view s) {
  enum { kCode, kLine, kBlock, kString, kChar } state = kCode;
  std::string out;
  std::size_t joined = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i], next = i + 1 < s.size() ? s[i + 1] : '\0';
    if (c == '\\' && next == '\n') {
      ++joined;
      ++i;
    } else if (c == '\n') {
      if (state == kLine || state == kString || state == kChar) state = kCode;
      if (state == kBlock) {
        ++joined;
        continue;
      }
      out.append(joined + 1, '\n');
      joined = 0;
    } else if (state == kCode && c == '/' && (next == '/' || next == '*')) {
      state = next == '/' ? kLine : kBlock;
      out += ' ';
      ++i;
    } else if (state == kBlock && c == '*' && next == '/') {
      state = kCode;
      ++i;
    } else if (state == kCode || state == kString || state == kChar) {
      if (state != kCode && c == '\\') {
        out += c;
        if (next != '\0') out += next;
        ++i;
        continue;
      }
      if (c == '"') state = state == kCode ? kString : state == kString ? kCode : state;
      // A ' between digits is a separator, not a quote.
      const bool digits = i > 0 && std::isalnum(static_cast<unsigned char>(s[i - 1])) != 0;
      if (c == '\'' && !(state == kCode && digits)) {
        state = state == kCode ? kChar : state == kChar ? kCode : state;
      }
      out += c;
    }
  }
  return out;
}

std::string_view trim(std::string_view s) {
  const std::size_t first = s.find_first_not_of(" \t\r\f\v");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r\f\v") - first + 1);
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Whether the line contains `word` as a whole identifier.
bool has_word(std::string_view line, std::string_view word) {
  for (std::size_t at = line.find(word); at != std::string_view::npos;
       at = line.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(line[at - 1]);
    const std::size_t end = at + word.size();
    if (starts && (end == line.size() || !is_word(line[end]))) return true;
  }
  return false;
}

[[noreturn]] void reject(std::string_view name, int line, std::string_view found) {
  throw CompileError(
      str("[kernel text] ", name, ":", line, ": `", found,
          "` is not allowed in a kernel text; write includes as #include \"path/from/root.h\" "
          "and do not depend on the machine or the time"));
}

/// Returns the path if the line is an allowed include, and "" if it is no include. Rejects
/// everything else.
std::string include_of(std::string_view name, int number, std::string_view line) {
  for (const char* word : {"__has_include", "__has_include_next", "__has_embed", "__DATE__",
                           "__TIME__", "__TIMESTAMP__", "__COUNTER__"}) {
    if (has_word(line, word)) reject(name, number, line);
  }
  const bool hash = line.starts_with("#");
  if (line.starts_with("%:") || line.starts_with("?\?=")) reject(name, number, line);
  if (!hash) return {};
  const std::string_view directive = trim(line.substr(1));
  const bool brings_text = directive.starts_with("include") || directive.starts_with("import") ||
                           directive.starts_with("embed");
  if (!brings_text) return {};
  constexpr std::string_view kStart = "#include \"";
  if (!line.starts_with(kStart) || !line.ends_with('"')) reject(name, number, line);
  const std::string_view path = line.substr(kStart.size(), line.size() - kStart.size() - 1);
  if (!is_text_path(path)) reject(name, number, line);
  return std::string(path);
}

}  // namespace

bool is_text_path(std::string_view path) {
  if (path.empty() || path.size() > 200 || path.front() == '/' || path.back() == '/') return false;
  char before = '/';
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain && c != '.' && c != '/') return false;
    if (!plain && (before == '/' || before == '.')) return false;
    before = c;
  }
  return before != '.';
}

std::vector<std::string> scan_includes(std::string_view name, std::string_view text) {
  const std::string lines = plain_lines(text);
  std::vector<std::string> out;
  int number = 1;
  for (std::size_t at = 0; at < lines.size(); ++number) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    std::string path = include_of(name, number, trim(std::string_view(lines).substr(at, end - at)));
    if (!path.empty()) out.push_back(std::move(path));
    at = end + 1;
  }
  return out;
}

}  // namespace eflow::jit

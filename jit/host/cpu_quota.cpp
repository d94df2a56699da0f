#include "eflow/jit/host/cpu_quota.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<std::string> split(std::string_view text, char mark) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(mark, at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The first line of a control file, split at spaces; empty if the file is absent.
std::vector<std::string> words_of(const fs::path& file) {
  const std::vector<std::string> lines = lines_of(file);
  return lines.empty() ? std::vector<std::string>() : split(lines.front(), ' ');
}

double number(const std::string& text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() ? value : 0;
}

/// CPUs that one group grants; 0 = no quota.
double quota_of(const fs::path& group, bool v2) {
  std::vector<std::string> words;
  if (v2) {
    words = words_of(group / "cpu.max");
  } else {
    for (const char* name : {"cpu.cfs_quota_us", "cpu.cfs_period_us"}) {
      const std::vector<std::string> value = words_of(group / name);
      words.push_back(value.empty() ? "" : value.front());
    }
  }
  if (words.size() < 2) return 0;
  const double quota = number(words[0]), period = number(words[1]);  // "max" and -1: none
  return quota > 0 && period > 0 ? quota / period : 0;
}

/// A mounted hierarchy that can hold CPU quotas.
struct Hierarchy {
  fs::path mounted;  ///< where
  fs::path top;      ///< the group that the mount shows there
  bool v2 = false;
};

/// Replaces the octal escapes of /proc/self/mountinfo: "\040" is a space.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr ==
            text.data() + i + 4) {
      out += static_cast<char>(code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Lines are "36 35 98:0 /top /mounted rw,... [optional fields] - cgroup2 name rw,...".
std::vector<Hierarchy> hierarchies(const fs::path& root) {
  std::vector<Hierarchy> out;
  for (const std::string& line : lines_of(root / "proc/self/mountinfo")) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> where = split(line.substr(0, dash), ' ');
    const std::vector<std::string> what = split(line.substr(dash + 3), ' ');
    if (where.size() < 5 || what.size() < 3) continue;
    const bool v2 = what[0] == "cgroup2";
    if (v2 || (what[0] == "cgroup" && has(split(what[2], ','), "cpu")))
      out.push_back({unescaped(where[4]), unescaped(where[3]), v2});
  }
  return out;
}

/// The process's group in the hierarchies of this version: lines are "0::/group" for version 2 and
/// "3:cpu,cpuacct:/group" for version 1.
fs::path own_group(const fs::path& root, bool v2) {
  for (const std::string& line : lines_of(root / "proc/self/cgroup")) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? line.starts_with("0::") : has(split(controllers, ','), "cpu"))
      return line.substr(second + 1);
  }
  return "/";
}

/// The group's path below the mount; empty if it is not below it, as in a container that sees only
/// its own groups but the host's names of them.
fs::path below(const fs::path& top, const fs::path& group) {
  const fs::path relative = group.lexically_normal().lexically_relative(top.lexically_normal());
  return relative.empty() || *relative.begin() == ".." ? fs::path() : relative;
}

}  // namespace

int cpu_quota(const fs::path& root) try {
  double least = 0;
  for (const Hierarchy& h : hierarchies(root)) {
    const fs::path top = root / h.mounted.relative_path();
    fs::path group = (top / below(h.top, own_group(root, h.v2))).lexically_normal();
    if (group.filename().empty()) group = group.parent_path();
    // A group has no more than the groups above it.
    for (fs::path at = group;; at = at.parent_path()) {
      if (const double quota = quota_of(at, h.v2); quota > 0)
        least = least > 0 ? std::min(least, quota) : quota;
      if (at == top || !at.has_relative_path()) break;
    }
  }
  return least > 0 ? std::max(1, static_cast<int>(std::min(least, 1e6))) : 0;
} catch (const std::exception&) {
  return 0;  // without the answer, the CPUs of the affinity mask are used
}

}  // namespace eflow::jit

#include "eflow/jit/cuda/tile_bytes.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

constexpr std::string_view kMark = "// eflow_tiles ";

/// "mov.u32 %r7, 16384;": a register with a constant. False for any other line.
bool parse_constant(std::string_view line, std::string_view& name, int& value) {
  const std::size_t begin = line.find_first_not_of(" \t");
  if (begin == line.npos) return false;
  line.remove_prefix(begin);
  if (!line.starts_with("mov.u32") && !line.starts_with("mov.b32")) return false;
  const std::size_t from = line.find('%'), comma = line.find(", ");
  if (from == line.npos || comma == line.npos || comma < from) return false;
  name = line.substr(from, comma - from);
  const char* const end = line.data() + line.size();
  const auto [stop, code] = std::from_chars(line.data() + comma + 2, end, value);
  return code == std::errc() && stop != end && *stop == ';';
}

}  // namespace

int tile_bytes(std::string_view ptx, std::string_view title) {
  int most = 0;
  std::map<std::string_view, int> constants;
  while (!ptx.empty()) {
    const std::size_t end = std::min(ptx.find('\n'), ptx.size());
    const std::string_view line = ptx.substr(0, end);
    ptx.remove_prefix(std::min(end + 1, ptx.size()));
    std::string_view name;
    int value = 0;
    if (parse_constant(line, name, value)) {
      constants[name] = value;
    } else if (const std::size_t at = line.find(kMark); at != line.npos) {
      const std::string_view given = line.substr(at + kMark.size());
      const auto known = constants.find(given);
      if (known != constants.end()) {
        most = std::max(most, known->second);
      } else if (std::from_chars(given.data(), given.data() + given.size(), value).ec ==
                 std::errc()) {
        most = std::max(most, value);
      } else {
        throw CompileError(str("[jit] ", title, ": where a tile begins in shared memory is only ",
                               "known at run time; a text allocates its tiles outside of loops, ",
                               "and passes an Arena to functions that are inlined"));
      }
    }
  }
  return most;
}

}  // namespace eflow::jit

// Archives, as far as our code decides what is read: members of any names and sizes. libarchive
// itself is fuzzed elsewhere.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "eflow/io/items/archive.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

/// One member of a tar archive (ustar).
std::string member(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
  };
  char size[13];
  std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(content.size()));
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size);
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char checksum[8];
  std::snprintf(checksum, sizeof checksum, "%06o", sum);
  put(148, std::string(checksum, 7));
  header += content;
  header.resize((header.size() + 511) / 512 * 512);
  return header;
}

}  // namespace

std::vector<std::string> seeds() {
  if (!io::has_archives()) return {""};
  std::string archive = member("a/000.npy", "content");
  archive += member("a/000.json", R"({"caption": "x"})");
  archive.resize(archive.size() + 1024);
  return {archive};
}

void run(std::string_view input) {
  if (!io::has_archives()) return;
  constexpr std::uint64_t kLimit = 1 << 20;
  const MemoryFile file(input);
  io::Archive archive(file.path());
  for (int i = 0; i < 100 && archive.next(); ++i) static_cast<void>(archive.read(kLimit));
}

}  // namespace eflow::fuzz

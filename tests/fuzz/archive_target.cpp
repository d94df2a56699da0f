// Archives, as far as our code decides what is read: members of any names and sizes. libarchive
// itself is fuzzed elsewhere.
#include "eflow/io/items/archive.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"
#include "eflow/tests/io/item_files.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  if (!io::has_archives()) return {""};
  return {test::tar_bytes({{"a/000.npy", "content"}, {"a/000.json", R"({"caption": "x"})"}})};
}

void run(std::string_view input) {
  if (!io::has_archives()) return;
  constexpr std::uint64_t kLimit = 1 << 20;
  const MemoryFile file(input);
  io::Archive archive(file.path());
  for (int i = 0; i < 100 && archive.next(); ++i) static_cast<void>(archive.read(kLimit));
}

}  // namespace eflow::fuzz

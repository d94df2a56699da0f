// The JIT cache's record of when its entries were used: it is never refused, only ignored.
#include <fstream>

#include "eflow/jit/cache/cache_use.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

constexpr const char* kKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

}  // namespace

std::vector<std::string> seeds() {
  const std::string key = kKey;
  return {key + " 1700000000\n", key + " -9223372036854775808\n" + key + " 9223372036854775807\n"};
}

void run(std::string_view input) {
  const ScratchFolder folder;
  std::ofstream(folder / "00", std::ios::binary) << input;
  jit::CacheUse use(folder.path(), std::chrono::seconds(60));
  const auto before = use.read();
  const auto key = jit::key_from_hex(kKey);
  if (!key) throw std::logic_error("the key is not one");
  use.touch(*key, 1'700'000'100);
  const auto after = use.read();
  if (!after.contains(*key)) throw std::logic_error("a use was not recorded");
  for (const auto& [other, when] : before) {
    if (!after.contains(other)) throw std::logic_error("a record was lost");
  }
  use.keep_only({});
  if (!use.read().empty()) throw std::logic_error("records were kept");
}

}  // namespace eflow::fuzz

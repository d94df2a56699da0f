// Compiled kernels, alone and in packs.
#include "eflow/core/base/atomic_file.hpp"
#include "eflow/jit/cache/pack.hpp"
#include "eflow/jit/kernel/artifact.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

jit::Artifact artifact() {
  jit::Artifact made;
  made.request = "request";
  made.image = std::string(100, 'i');
  made.log = "log";
  return made;
}

}  // namespace

std::vector<std::string> seeds() {
  const ScratchFolder folder;
  jit::write_pack(folder / "kernels.pack", {std::make_shared<jit::Artifact>(artifact())});
  return {artifact().encode(), read_file(folder / "kernels.pack")};
}

void run(std::string_view input) {
  std::string why;
  if (const auto made = jit::Artifact::decode(input, &why); made && made->encode() != input)
    throw std::logic_error("an artifact that was read encodes to other bytes");
  static_cast<void>(jit::request_of(input));
  const MemoryFile file(input);
  const auto pack = jit::Pack::open(file.path(), why);
  for (std::size_t i = 0; pack && i < pack->size(); ++i) static_cast<void>(pack->container(i));
}

}  // namespace eflow::fuzz

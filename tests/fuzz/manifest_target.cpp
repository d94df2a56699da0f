// manifest.json of a data set. The checksum of the input is made right first, since a wrong one
// would end every run there.
#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/io/shard/manifest.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  io::Manifest manifest;
  manifest.spec.dtype = DType::kBF16;
  manifest.spec.shape = {4, 3, 8, 8};
  manifest.spec.class_count = 2;
  manifest.spec.class_names = {"a", "b"};
  manifest.count = 3;
  manifest.shards = {{"shard-00000.h5", 3, 4096, {1, 2}}};
  const std::string first = to_json(manifest);
  manifest.spec.text = io::TextSpec{.width = 8, .max_length = 16, .encoder = "T5"};
  manifest.spec.text->prompts_hash = Hash128{3, 4};
  manifest.spec.latent = {"wan2.1", {0, 1, 2, 3}, {1, 1, 1, 2}};
  manifest.spec.sources = true;
  return {first, to_json(manifest)};
}

void run(std::string_view input) {
  std::string text(input);
  io::check_json_bounds(text, "manifest.json");
  const auto json = nlohmann::json::parse(text, nullptr, false);
  try {
    if (json.is_object()) text = io::with_checksum(json);
  } catch (const nlohmann::json::exception&) {  // a string that is no UTF-8: read it as it is
  }
  const ScratchFolder folder;
  write_file_atomically(folder / io::kManifestName, text);
  static_cast<void>(io::read_manifest(folder.path()));
}

}  // namespace eflow::fuzz

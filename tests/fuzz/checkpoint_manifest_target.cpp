// manifest.json of a checkpoint, with its checksum made right.
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  io::CheckpointManifest manifest;
  manifest.step = 7;
  manifest.metadata = R"({"config": "x"})";
  manifest.state_bytes = 4096;
  manifest.arrays = {{{"model/a.weight", DType::kF32, {2, 3}, 2048, 24}, {1, 2}}};
  return {to_json(manifest)};
}

void run(std::string_view input) {
  std::string text(input);
  io::check_json_bounds(text, "manifest.json");
  const auto json = nlohmann::json::parse(text, nullptr, false);
  try {
    if (json.is_object()) text = io::with_checksum(json);
  } catch (const nlohmann::json::exception&) {  // a string that is no UTF-8: read it as it is
  }
  const MemoryFile file(text);
  static_cast<void>(io::read_checkpoint_manifest(open_read(file.path()), "manifest.json"));
}

}  // namespace eflow::fuzz

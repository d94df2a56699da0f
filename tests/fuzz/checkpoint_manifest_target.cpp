// manifest.json of a checkpoint, with its checksum made right.
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  const Hash128 hash{1, 2};
  const io::ArrayInfo info{
      .name = "model/a.weight", .dtype = DType::kF32, .shape = {2, 3}, .bytes = 24};
  io::CheckpointManifest one{.step = 7, .metadata = R"({"config": "x"})"};
  one.files = {{"state.h5", 4096, 5}};
  one.arrays = {{.info = info, .content = hash, .parts = {{0, 0, 2048, 24, hash}}}};
  const auto blocks = static_cast<std::int64_t>(2 * io::kSaveBlock);
  io::CheckpointManifest two = one;
  two.files = {{"state-00000-of-00002.h5", 131072, 5}, {"state-00001-of-00002.h5", 131072, 6}};
  two.arrays[0].info.shape = {blocks};
  two.arrays[0].info.bytes = 131072;
  two.arrays[0].parts = {{0, 0, 2048, 65536, hash}, {1, io::kSaveBlock, 2048, 65536, hash}};
  return {to_json(one), to_json(two)};
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

// Hostile manifests: impossible content with a valid checksum.
#define BOOST_TEST_MODULE hostile_manifest
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using nlohmann::json;

namespace {

/// Applies `edit` to the manifest and recomputes its checksum.
template <class Edit>
void forge(const fs::path& path, const std::string& good, const Edit& edit) {
  json object = json::parse(good);
  object.erase("checksum");
  edit(object);
  const std::string text = object.dump();
  object["checksum"] = to_hex(hash128(std::as_bytes(std::span(text.data(), text.size()))));
  spill(path, object.dump());
}

using Edits = std::vector<std::function<void(json&)>>;
const std::int64_t kHuge = std::int64_t{1} << 62;

}  // namespace

BOOST_AUTO_TEST_CASE(checkpoints) {
  const TempDir dir;
  const Bytes bytes(24);
  const std::vector<io::NamedBytes> arrays{{"a", DType::kF32, {2, 3}, bytes},
                                           {"b", DType::kU8, {24}, bytes}};
  io::CheckpointStore store(dir / "c");
  const fs::path path = store.save(1, arrays, "{}") / "manifest.json";
  const std::string good = slurp(path);
  const Edits edits{
      [](json& m) { m["arrays"][0]["offset"] = kHuge; },
      [](json& m) { m["arrays"][0]["offset"] = ~0ull; },
      [](json& m) { m["arrays"][0]["bytes"] = 25; },
      [](json& m) { m["arrays"][0]["bytes"] = kHuge; },
      [](json& m) {
        m["arrays"][0]["shape"] = {kHuge, kHuge};
      },
      [](json& m) {
        m["arrays"][0]["shape"] = {-2, -3};
      },
      [](json& m) { m["arrays"][0]["shape"] = std::vector<int>(9, 1); },
      [](json& m) { m["arrays"][0]["dtype"] = "f16"; },
      [](json& m) { m["arrays"][0]["name"] = "../x"; },
      [](json& m) { m["arrays"][0]["name"] = "b"; },
      [](json& m) { m["arrays"][0]["hash"] = "12"; },
      [](json& m) { m["arrays"][0].erase("hash"); },
      [](json& m) { m["arrays"] = 7; },
      [](json& m) { m["structure_hash"] = "x"; },
      [](json& m) { m["format"] = "eflow-dataset"; },
      [](json& m) { m.erase("step"); },
      [](json& m) { m["step"] = "one"; },
      [](json& m) { m["version"] = 2; },  // has a list of files
      [](json& m) {
        m["version"] = 2;
        m["files"] = 7;
      },
      [](json& m) {
        m["version"] = 2;
        m["files"] = json::array();
      },
      [](json& m) {
        m = json::array();
        m.push_back(1);
        m = json{{"a", m}};
      },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    forge(path, good, edits[i]);
    const std::string text = text_of<CorruptData>([&] { io::Checkpoint{store.path_of(1)}; });
    BOOST_TEST(has(text, path.string()), "edit " << i << ": " << text);
  }
  // Overlapping ranges pass the check of each array, but the bytes then fail their hashes.
  forge(path, good,
        [](json& m) { m["arrays"][1]["offset"] = m["arrays"][0]["offset"].get<int>() + 1; });
  BOOST_CHECK_THROW(io::Checkpoint(store.path_of(1)).verify(), CorruptData);
  forge(path, good, [](json& m) { m["version"] = 3; });
  BOOST_TEST(has(text_of<InvalidArgument>([&] { io::Checkpoint{store.path_of(1)}; }), "newer"));
}

BOOST_AUTO_TEST_CASE(data_sets) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 5);
  const fs::path path = dir / "set/manifest.json";
  const std::string good = slurp(path);
  const Edits edits{
      [](json& m) { m["shards"][0]["file"] = "../shard-00000.h5"; },
      [](json& m) { m["shards"][0]["file"] = ""; },
      [](json& m) { m["shards"][0]["file"] = std::string("a\0b", 3); },
      [](json& m) { m["shards"][0]["count"] = -4; },
      [](json& m) { m["shards"][0]["count"] = kHuge; },
      [](json& m) { m["shards"][0]["count"] = 3; },
      [](json& m) { m["shards"][0]["bytes"] = 17; },
      [](json& m) { m["shards"][0]["index_hash"] = std::string(32, '0'); },
      [](json& m) { m["shards"] = json::array(); },
      [](json& m) { m["count"] = kHuge; },
      [](json& m) { m["dtype"] = "i64"; },
      [](json& m) { m["dtype"] = "f32"; },
      [](json& m) {
        m["shape"] = {3, 2, 5};
      },
      [](json& m) {
        m["shape"] = {3, 2, 4, 5};
      },
      [](json& m) {
        m["shape"] = {kHuge, kHuge, 1, 1};
      },
      [](json& m) { m["class_count"] = 2, m["class_names"] = json::array(); },
      [](json& m) { m["class_names"] = {"a"}; },
      [](json& m) {
        m["value"] = {{"scale", 0}, {"offset", 0}};
      },
      [](json& m) { m["fps"] = -1; },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    forge(path, good, edits[i]);
    const std::string text = text_of<CorruptData>([&] { io::Dataset{dir / "set"}; });
    BOOST_TEST(has(text, (dir / "set").string()), "edit " << i << ": " << text);
  }
  spill(path, std::string(100000, '['));
  BOOST_CHECK_THROW(io::Dataset{dir / "set"}, CorruptData);
  // Depth and number of values are bounded before anything recurses or allocates.
  const auto text = [&](const std::string& content) {
    spill(path, content);
    return text_of<CorruptData>([&] { io::Dataset{dir / "set"}; });
  };
  constexpr std::size_t kDepth = 1 << 20;
  const std::string nested =
      "{\"format\":" + std::string(kDepth, '[') + std::string(kDepth, ']') + "}";
  BOOST_TEST(has(text(nested), "nest deeper than 32"));
  std::string objects;
  for (int i = 0; i < 200000; ++i) objects += "{\"a\":";
  BOOST_TEST(has(text(objects + "1" + std::string(200000, '}')), "nest deeper than 32"));
  std::string many = "[0";
  for (int i = 0; i < (5 << 20); ++i) many += ",0";
  BOOST_TEST(has(text(many + "]"), "more values"));
  forge(path, good, [](json& m) { m["creator"] = "[[[[{{{{\\\"[[[[" + std::string(100, '['); });
  BOOST_TEST(io::Dataset(dir / "set").size() == 5);  // brackets in a string do not nest
}

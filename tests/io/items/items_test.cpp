// Items from arrays of others, whatever file they are in: types, names, captions, and what is
// refused.
#define BOOST_TEST_MODULE items
#include <boost/test/unit_test.hpp>

#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/import/open_source.hpp"
#include "eflow/io/items/archive.hpp"
#include "eflow/io/items/musubi.hpp"
#include "eflow/tests/io/item_files.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

AllItems read(const fs::path& path, const io::OpenOptions& options = {}) {
  const auto source = io::open_source({path.string()}, options);
  AllItems first = read_all(*source);
  source->rewind();
  const AllItems again = read_all(*source);
  BOOST_REQUIRE(again.items.size() == first.items.size());
  for (std::size_t i = 0; i < first.items.size(); ++i) {
    BOOST_TEST(again.items[i].source == first.items[i].source);
    BOOST_TEST((again.items[i].clip.bytes == first.items[i].clip.bytes));
  }
  BOOST_TEST(again.faults == first.faults, boost::test_tools::per_element());
  return first;
}

void check_values(const io::RawArray& array, const std::vector<float>& expected) {
  const std::vector<float> found = floats_of(array);
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

std::string npy_f32(int i, const std::string& shape = "(2, 3)") {
  return npy_bytes("<f4", shape, raw(exact_values(6, i)));
}

/// Writes .safetensors whose arrays are f32 with the given names and shapes.
void write_arrays(const fs::path& path, const std::vector<std::pair<std::string, Shape>>& arrays,
                  const std::map<std::string, std::string>& metadata = {}) {
  std::vector<std::vector<float>> values;
  std::vector<io::ArrayToStore> stored;
  for (const auto& [name, shape] : arrays)
    values.push_back(exact_values(static_cast<std::size_t>(element_count(shape)),
                                  static_cast<int>(values.size())));
  for (std::size_t i = 0; i < arrays.size(); ++i)
    stored.push_back(
        {arrays[i].first, "F32", arrays[i].second, std::as_bytes(std::span(values[i]))});
  io::write_safetensors(path, stored, metadata);
}

}  // namespace

BOOST_AUTO_TEST_CASE(npy_of_every_type) {
  const TempDir dir;
  const std::vector<float> values = exact_values(6, 1);
  spill(dir / "a.npy", npy_bytes("<f2", "(2, 3)", raw(as_f16(values))));
  spill(dir / "b.npy", npy_bytes("|V2", "(2, 3)", raw(as_bf16(values))));
  spill(dir / "c.npy", npy_bytes("<u2", "(2, 3)", raw(as_bf16(values))));
  spill(dir / "d.npy", npy_bytes("<f4", "(2, 3)", raw(values)));
  spill(dir / "e.npy",
        npy_bytes("<f8", "(2, 3)", raw(std::vector<double>(values.begin(), values.end()))));
  spill(dir / "f.npy", npy_bytes("|u1", "(2, 3)", std::string("\x00\x01\x7f\x80\xfe\xff", 6)));
  const AllItems bf16 = read(dir.path(), {.read = {.two_bytes_are_bf16 = true}});
  BOOST_REQUIRE(bf16.items.size() == 6);
  for (std::size_t i = 0; i < 5; ++i) check_values(bf16.items[i].clip, values);
  check_values(bf16.items[5].clip, {0, 1, 127, 128, 254, 255});
  // Without --dtype bf16, two bytes may be anything: refused with the advice.
  const AllItems plain = read(dir.path());
  BOOST_TEST(plain.items.size() == 4);
  BOOST_REQUIRE(plain.faults.size() == 2);
  for (const std::string& fault : plain.faults) BOOST_TEST(has(fault, "--dtype bf16"), fault);
}

BOOST_AUTO_TEST_CASE(captions_and_labels_next_to_a_file) {
  const TempDir dir;
  fs::create_directories(dir / "cat");
  spill(dir / "cat/1.npy", npy_f32(1));
  spill(dir / "cat/1.txt", "\xef\xbb\xbf a cat \r\n\na small cat\n");
  spill(dir / "cat/1.json", R"({"label": 4, "caption": "a cat", "fps": "12.5", "width": 640})");
  spill(dir / "cat/2.npy", npy_f32(2));
  spill(dir / "cat/2.json", R"({"captions": ["x", "y"], "class": "tiger"})");
  const AllItems all = read(dir.path());
  BOOST_REQUIRE(all.items.size() == 2);
  const io::Item& first = all.items[0];
  BOOST_TEST(first.source == "cat/1.npy");
  BOOST_REQUIRE(first.captions.size() == 2);  // the same words twice are one caption
  BOOST_TEST(first.captions[0].text == "a cat");
  BOOST_TEST(first.captions[1].text == "a small cat");
  BOOST_TEST(first.label.value() == 4);
  BOOST_TEST(first.fps == 12.5);
  BOOST_TEST(first.width == 640);
  BOOST_TEST(all.items[1].class_name == "tiger");
  BOOST_TEST(all.items[1].captions.size() == 2);
  const AllItems by_folder = read(dir.path(), {.read = {.class_by_folder = true}});
  BOOST_TEST(by_folder.items[1].class_name == "cat");
  for (const char* wrong : {"[1]", "{\"caption\": 3}", "{\"captions\": [1]}", "{\"label\": 1.5}",
                            "{\"fps\": -1}", "{", "{\"caption\": \"\xff\"}"}) {
    spill(dir / "cat/2.json", wrong);
    const AllItems rest = read(dir.path());
    BOOST_TEST(rest.items.size() == 1, wrong);
    BOOST_REQUIRE(rest.faults.size() == 1);
    BOOST_TEST(has(rest.faults[0], "2.json"), rest.faults[0]);
  }
}

BOOST_AUTO_TEST_CASE(named_arrays) {
  const TempDir dir;
  write_arrays(dir / "a.safetensors", {{"latents", {2, 1, 1, 3}}, {"context", {1, 4, 2}}},
               {{"captions", "[\"words\"]"}, {"normalised", "false"}, {"latent_space", "wan2.1"}});
  const io::Item item = read(dir / "a.safetensors").items.at(0);
  check_values(item.clip, exact_values(6, 0));
  BOOST_TEST(item.captions.at(0).text == "words");
  BOOST_TEST((item.captions[0].embedding->shape == Shape{4, 2}));
  BOOST_TEST((item.normalised == io::Normalised::kNo));
  BOOST_TEST(item.latent_space == "wan2.1");

  write_arrays(dir / "b.safetensors", {{"one", {6}}, {"two", {6}}});
  const std::string fault = read(dir / "b.safetensors").faults.at(0);
  BOOST_TEST(has(fault, "one, two"), fault);
  BOOST_TEST(has(fault, "--latents"), fault);
  check_values(read(dir / "b.safetensors", {.read = {.keys = {.clip = "two"}}}).items.at(0).clip,
               exact_values(6, 1));
  BOOST_TEST(has(read(dir / "b.safetensors", {.read = {.keys = {.clip = "three"}}}).faults.at(0),
                 "no array \"three\""));

  // Several captions, each with rows of zeros as padding, which are no tokens.
  std::vector<float> padded = {1, 2, 3, 4, 0, 0, 0, 0};
  const std::vector<float> clip = exact_values(6, 0);
  io::write_safetensors(dir / "c.safetensors",
                        {{"clip", "F32", {6}, std::as_bytes(std::span(clip))},
                         {"context.0", "F32", {4, 2}, std::as_bytes(std::span(padded))},
                         {"context.1", "F32", {2, 4}, std::as_bytes(std::span(padded))}});
  const io::Item several = read(dir / "c.safetensors").items.at(0);
  BOOST_REQUIRE(several.captions.size() == 2);
  BOOST_TEST((several.captions[0].embedding->shape == Shape{2, 2}));
  BOOST_TEST((several.captions[1].embedding->shape == Shape{1, 4}));
}

BOOST_AUTO_TEST_CASE(musubi_caches) {
  BOOST_TEST(io::is_musubi_key("latents_21x60x104_bfloat16", "latents_", true));
  BOOST_TEST(io::is_musubi_key("varlen_t5_float8_e4m3fn", "varlen_t5_", false));
  for (const char* other : {"latents_21x60_bfloat16", "latents_image_21x60x104_bfloat16",
                            "latents_21x60x104", "latents_21x60x104_int8", "latents__bfloat16"})
    BOOST_TEST(!io::is_musubi_key(other, "latents_", true), other);
  for (const char* name :
       {"my_cat_00012-081_0832x0480_wan.safetensors", "my_cat_0832x0480_wan.safetensors"})
    BOOST_TEST(io::musubi_text_of(fs::path("d") / name) == "d/my_cat_wan_te.safetensors");

  const TempDir dir;
  const Shape latent{16, 1, 2, 2};
  const std::map<std::string, std::string> wan = {
      {"architecture", "wan"}, {"width", "832"}, {"height", "480"}, {"frame_count", "81"}};
  write_arrays(dir / "my_cat_00000-081_0832x0480_wan.safetensors",
               {{"latents_1x2x2_float32", latent}}, wan);
  write_arrays(dir / "my_cat_00081-081_0832x0480_wan.safetensors",
               {{"latents_1x2x2_float32", latent}}, wan);
  write_arrays(dir / "my_cat_wan_te.safetensors", {{"varlen_t5_float32", {3, 5}}},
               {{"architecture", "wan"}, {"caption1", "a cat"}});
  const AllItems all = read(dir.path());
  BOOST_REQUIRE(all.items.size() == 2);
  BOOST_TEST(all.faults.empty());
  for (const io::Item& item : all.items) {
    BOOST_TEST((item.normalised == io::Normalised::kYes));
    BOOST_TEST(item.captions.at(0).text == "a cat");
    BOOST_TEST((item.captions[0].embedding->shape == Shape{3, 5}));
    BOOST_TEST((item.width == 832 && item.height == 480 && item.frames == 81));
    BOOST_TEST(item.layout == "CTHW");
  }
  write_arrays(dir / "x_0832x0480_hv.safetensors", {{"latents_1x2x2_float32", latent}},
               {{"architecture", "hunyuan_video"}});
  BOOST_TEST(has(read(dir.path()).faults.at(0), "hunyuan_video"));
}

BOOST_AUTO_TEST_CASE(archives) {
  if (!io::has_archives()) {
    BOOST_TEST_MESSAGE("skipped: built without libarchive");
    return;
  }
  const TempDir dir;
  const Members members = {
      {"s/0001.npy", npy_f32(1)},      {"s/0001.json", R"({"caption": "one", "label": 3})"},
      {"s/0001.jpg", "picture"},       {"s/0002.latent.npy", npy_f32(2)},
      {"s/0002.text.npy", npy_f32(5)}, {"s/0002.txt", "two"},
      {"s/0002.cls", "7\n"},           {"s/0003.txt", "alone"},
      {"s/0001.txt", "too late"}};
  spill(dir / "a.tar", tar_bytes(members));
  spill(dir / "a.zip", zip_bytes(members));
  for (const char* name : {"a.tar", "a.zip"}) {
    const AllItems all = read(dir / name);
    BOOST_REQUIRE(all.items.size() == 2);
    check_values(all.items[0].clip, exact_values(6, 1));
    BOOST_TEST(all.items[0].captions.at(0).text == "one");
    BOOST_TEST(all.items[0].label.value() == 3);
    BOOST_TEST(all.items[1].source == str(name, "/s/0002"));
    check_values(all.items[1].clip, exact_values(6, 2));
    check_values(*all.items[1].captions.at(0).embedding, exact_values(6, 5));
    BOOST_TEST(all.items[1].captions[0].text == "two");
    BOOST_TEST(all.items[1].label.value() == 7);
    BOOST_REQUIRE(all.faults.size() == 2);
    BOOST_TEST(has(all.faults[0], "has .txt but no .npy"), all.faults[0]);
    BOOST_TEST(has(all.faults[1], "not next to each other"), all.faults[1]);
  }
  spill(dir / "n.npz",
        zip_bytes({{"latents.npy", npy_f32(4)},
                   {"label.npy", npy_bytes(">i4", "()", std::string("\0\0\0\5", 4))}}));
  const io::Item item = read(dir / "n.npz").items.at(0);
  check_values(item.clip, exact_values(6, 4));
  BOOST_TEST(item.label.value() == 5);
}

/// What was cut off or changed in an archive is named; nothing is invented.
BOOST_AUTO_TEST_CASE(damaged_archives) {
  if (!io::has_archives()) return;
  const TempDir dir;
  const Members members = {{"1.npy", npy_f32(1)}, {"2.npy", npy_f32(2)}, {"3.npy", npy_f32(3)}};
  const std::string tar = tar_bytes(members), zip = zip_bytes(members);
  for (const auto& [name, whole] : {std::pair<const char*, const std::string&>{"a.tar", tar},
                                    std::pair<const char*, const std::string&>{"a.zip", zip}}) {
    for (std::size_t size = 0; size < whole.size(); size += 61) {
      spill(dir / name, whole.substr(0, size));
      AllItems all;
      try {
        all = read(dir / name);
      } catch (const Error&) {
        continue;
      }
      for (std::size_t i = 0; i < all.items.size(); ++i)
        check_values(all.items[i].clip, exact_values(6, static_cast<int>(i) + 1));
    }
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
      std::string changed = whole;
      for (int i = 0; i < 4; ++i)
        changed[random() % changed.size()] ^= static_cast<char>(1 << random() % 8);
      spill(dir / name, changed);
      try {
        for (const io::Item& item : read(dir / name).items)
          BOOST_TEST(item.clip.bytes.size() <= 4096);
      } catch (const Error&) {
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_mixed_folder_and_faults) {
  const TempDir dir;
  spill(dir / "1.npy", npy_f32(1));
  spill(dir / "2.npy", npy_f32(2).substr(0, 30));
  spill(dir / "notes.md", "no clip");
  const AllItems all = read(dir.path());
  BOOST_TEST(all.items.size() == 1);
  BOOST_TEST(has(all.faults.at(0), "2.npy"));
  // A .npy file named itself has many clips.
  const AllItems rows = read(dir / "1.npy");
  BOOST_REQUIRE(rows.items.size() == 2);
  BOOST_TEST(rows.items[1].source == "1.npy#1");
  BOOST_TEST((rows.items[1].clip.shape == Shape{3}));
  BOOST_CHECK_THROW(static_cast<void>(io::open_source({(dir / "none").string()}, {})), IoError);
  BOOST_TEST(has(text_of<InvalidArgument>([&] { read(dir / "notes.md"); }), "of no known kind"));
  fs::create_directories(dir / "empty");
  BOOST_TEST(has(text_of<InvalidArgument>([&] { read(dir / "empty"); }), "holds no .npy"));
}

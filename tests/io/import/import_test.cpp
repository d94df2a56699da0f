// Packing items: which of them make the data set, what is said of the others, what is stored of
// latents, classes and captions; stopping, going on, parts, merging, statistics.
#define BOOST_TEST_MODULE import
#include "eflow/io/import/import.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/io/import/channel_stats.hpp"
#include "eflow/io/import/dataset_stats.hpp"
#include "eflow/io/import/latent_spaces.hpp"
#include "eflow/io/import/merge.hpp"
#include "eflow/tests/io/item_files.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Dataset;
using eflow::io::ImportOptions;
using eflow::io::ImportReport;
using eflow::io::Item;

namespace {

/// Items from memory; an item without shape is a fault.
class Given : public io::ItemSource {
 public:
  explicit Given(std::vector<Item> items) : items_(std::move(items)) {}
  bool next(Item& item) override {
    if (at_ == items_.size()) return false;
    item = items_[at_++];
    if (item.clip.shape.rank() == 0) throw io::ItemFault(item.source, "unreadable");
    return true;
  }
  void rewind() override { at_ = 0; }

 private:
  std::vector<Item> items_;
  std::size_t at_ = 0;
};

io::RawArray f32(const Shape& shape, const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {io::Element::kF32, shape, {bytes.begin(), bytes.end()}};
}

/// A latent of 4 channels, whose values differ between items.
Item latent(int i, const Shape& shape = {4, 2, 3, 3}) {
  Item item;
  item.source = str("clip", i);
  item.layout = "CTHW";
  item.clip = f32(shape, exact_values(static_cast<std::size_t>(element_count(shape)), i));
  return item;
}

std::vector<Item> latents(int n) {
  std::vector<Item> out;
  for (int i = 0; i < n; ++i) out.push_back(latent(i));
  return out;
}

ImportReport pack(const std::vector<Item>& items, const fs::path& out, ImportOptions options = {}) {
  Given source(items);
  options.pack.limits = {1 << 20, 2};
  return io::import_items(source, out, options);
}

std::string refusal(const std::vector<Item>& items, const fs::path& out,
                    const ImportOptions& options = {}) {
  std::string text = text_of<InvalidArgument>([&] { pack(items, out, options); });
  BOOST_TEST(!text.empty());
  BOOST_TEST(!fs::exists(out / "manifest.json"));
  return text;
}

std::vector<float> clip_of(const Dataset& set, std::int64_t i) {
  std::vector<float> values(static_cast<std::size_t>(element_count(set.clip_shape())));
  set.read(i, values);
  return values;
}

bool noted(const ImportReport& report, const std::string& part) {
  return std::any_of(report.notes.begin(), report.notes.end(),
                     [&](const std::string& note) { return has(note, part); });
}

io::RawArray embedding(int rows, int i) {
  return f32({rows, 2}, exact_values(static_cast<std::size_t>(2 * rows), i));
}

/// A table with the captions "c0" to "c4", of 1 to 5 tokens, and the empty one.
void write_table(const fs::path& path, const std::vector<std::int64_t>& clip_captions = {}) {
  std::vector<float> rows;
  std::vector<std::int64_t> ends, text_ends;
  std::string text;
  for (int i = 0; i < 5; ++i) {
    for (int k = 0; k < 2 * (i + 1); ++k)
      rows.push_back(static_cast<float>(i) + 0.25f * static_cast<float>(k));
    ends.push_back(static_cast<std::int64_t>(rows.size()) / 2);
    text += str("c", i);
    text_ends.push_back(static_cast<std::int64_t>(text.size()));
  }
  const std::vector<float> null{7, 8};
  const auto bytes = [](const auto& values) { return std::as_bytes(std::span(values)); };
  std::vector<io::ArrayToStore> arrays = {
      {"embeddings", "F32", {static_cast<std::int64_t>(rows.size()) / 2, 2}, bytes(rows)},
      {"ends", "I64", {5}, bytes(ends)},
      {"captions", "U8", {static_cast<std::int64_t>(text.size())}, bytes(text)},
      {"caption_ends", "I64", {5}, bytes(text_ends)},
      {"null", "F32", {1, 2}, bytes(null)}};
  if (!clip_captions.empty())
    arrays.push_back({"clip_captions",
                      "I64",
                      {static_cast<std::int64_t>(clip_captions.size()), 1},
                      bytes(clip_captions)});
  io::write_safetensors(path, arrays, {{"encoder", "tiny"}, {"max_length", "6"}});
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_are_stored_as_they_are) {
  const TempDir dir;
  const ImportReport report = pack(latents(5), dir / "set");
  BOOST_TEST(report.pack.finished);
  BOOST_TEST(report.skipped_count == 0);
  const Dataset set(dir / "set");
  BOOST_TEST(set.size() == 5);
  BOOST_TEST((set.clip_shape() == Shape{4, 2, 3, 3}));
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(clip_of(set, i) == exact_values(72, i), boost::test_tools::per_element());
  BOOST_TEST(set.read_sources().at(3).source == "clip3");
  BOOST_TEST(io::verify_dataset(dir / "set").empty());
  BOOST_TEST(pack(latents(5), dir / "set").pack.already_there);
}

BOOST_AUTO_TEST_CASE(types_of_the_file_and_of_the_store) {
  const TempDir dir;
  Item half = latent(1), brain = latent(1), bytes = latent(1);
  const std::string f16 = raw(as_f16(exact_values(72, 1))),
                    bf16 = raw(as_bf16(exact_values(72, 1)));
  const auto array = [](io::Element element, const std::string& text) {
    const auto all = std::as_bytes(std::span(text));
    return io::RawArray{element, {4, 2, 3, 3}, {all.begin(), all.end()}};
  };
  half.clip = array(io::Element::kF16, f16);
  brain.clip = array(io::Element::kBF16, bf16);
  pack({half}, dir / "f16");
  pack({brain}, dir / "bf16");
  pack({half, brain, latent(1)}, dir / "mixed");
  BOOST_TEST((Dataset(dir / "f16").manifest().spec.dtype == DType::kF32));
  BOOST_TEST((Dataset(dir / "bf16").manifest().spec.dtype == DType::kBF16));
  BOOST_TEST((Dataset(dir / "mixed").manifest().spec.dtype == DType::kF32));
  for (const char* name : {"f16", "bf16", "mixed"}) {
    const Dataset set(dir / name);
    for (std::int64_t i = 0; i < set.size(); ++i)
      BOOST_TEST(clip_of(set, i) == exact_values(72, 1), boost::test_tools::per_element());
  }
  // Pixels: 8 bits, in another order of the axes.
  std::string pixels(2 * 3 * 3 * 3, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * 4);
  bytes.layout = "THWC";
  const auto all = std::as_bytes(std::span(pixels));
  bytes.clip = {io::Element::kU8, {2, 3, 3, 3}, {all.begin(), all.end()}};
  pack({bytes}, dir / "u8");
  const Dataset set(dir / "u8");
  BOOST_TEST((set.clip_shape() == Shape{3, 2, 3, 3}));
  std::vector<std::byte> stored(54);
  set.read_stored(0, stored);
  BOOST_TEST(std::to_integer<int>(stored[18]) == 4);  // channel 1, first pixel
  BOOST_TEST(std::to_integer<int>(stored[1]) == 12);  // channel 0, second pixel
  BOOST_TEST(has(refusal({bytes,
                          [] {
                            Item item = latent(1, {3, 2, 3, 3});
                            return item;
                          }()},
                         dir / "x"),
                 "some clips are u8"));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_skipped_with_its_reason) {
  const TempDir dir;
  std::vector<Item> items = latents(6);
  items[1].clip = {};                  // unreadable
  items[2] = latent(2, {4, 2, 3, 4});  // another shape
  const float nan = std::nanf("");
  std::memcpy(items[4].clip.bytes.data() + 4 * 20, &nan, 4);  // channel 1, frame 0, pixel 2
  const ImportReport report = pack(items, dir / "set");
  BOOST_TEST(report.pack.clips == 3);
  BOOST_REQUIRE(report.skipped_count == 3);
  const auto reason = [&](std::size_t i) {
    return report.skipped[i].source + ": " + report.skipped[i].reason;
  };
  BOOST_TEST(reason(0) == "clip1: unreadable");
  BOOST_TEST(has(reason(1), "clip4: [import] pixel (frame 0, row 0, column 2, channel 1) is nan"),
             reason(1));
  BOOST_TEST(reason(2) == "clip2: its shape is [4, 2, 3, 4], not [4, 2, 3, 3]");
  BOOST_TEST(noted(report, "[4, 2, 3, 3] (3), [4, 2, 3, 4] (1)"));
  const Dataset set(dir / "set");
  BOOST_TEST(clip_of(set, 2) == exact_values(72, 5), boost::test_tools::per_element());
  // The same again finds it complete; the other shape is a data set of its own.
  BOOST_TEST(pack(items, dir / "set").pack.already_there);
  BOOST_TEST(pack(items, dir / "wide", {.shape = Shape{4, 2, 3, 4}}).pack.clips == 1);
  BOOST_TEST(
      has(refusal(items, dir / "none", {.shape = Shape{9, 9, 9, 9}}), "no clip has the shape"));
  BOOST_TEST(has(refusal(items, dir / "none", {.strict = true}), "clip1: unreadable"));
  BOOST_TEST(has(refusal({items[1], items[4]}, dir / "none"), "none of 2 can be used"));
}

BOOST_AUTO_TEST_CASE(classes) {
  const TempDir dir;
  std::vector<Item> items = latents(4);
  items[0].class_name = "dog", items[1].class_name = "cat", items[2].class_name = "dog";
  const ImportReport report = pack(items, dir / "names");
  BOOST_TEST(report.skipped.at(0).reason == "it has no label");
  const Dataset names(dir / "names");
  BOOST_TEST(names.class_names() == (std::vector<std::string>{"cat", "dog"}),
             boost::test_tools::per_element());
  BOOST_TEST((names.labels()[0] == 1 && names.labels()[1] == 0));
  ImportOptions options;
  options.pack.class_names = {"ape", "dog"};
  BOOST_TEST(
      has(pack(items, dir / "given", options).skipped.at(0).reason, "class \"cat\" is not among"));
  items = latents(3);
  items[0].label = 2, items[1].label = -1, items[2].label = 0;
  const ImportReport numbers = pack(items, dir / "numbers");
  BOOST_TEST(numbers.pack.spec.class_count == 3);
  BOOST_TEST(has(numbers.skipped.at(0).reason, "label -1 is not in 0 to 2"));
  items[1].class_name = "x", items[1].label.reset();
  BOOST_TEST(has(refusal(items, dir / "none"), "names and others numbers"));
}

/// Latents are stored in the units of their VAE, normalised ones turned back, and read normalised.
BOOST_AUTO_TEST_CASE(latent_statistics) {
  const TempDir dir;
  ImportOptions options;
  options.latent = io::LatentSpace{"mine", {1, 2, 3, 4}, {0.5, 2, 4, 8}};
  std::vector<Item> items = latents(2);
  items[0].normalised = io::Normalised::kYes;
  items[1].normalised = io::Normalised::kNo;
  pack(items, dir / "set", options);
  const Dataset set(dir / "set");
  BOOST_TEST(set.manifest().spec.latent.name == "mine");
  const std::vector<float> raw_values = exact_values(72, 1), first = clip_of(set, 0),
                           second = clip_of(set, 1);
  for (std::size_t k = 0; k < 72; ++k) {
    const std::size_t c = k / 18;
    BOOST_TEST(first[k] == exact_values(72, 0)[k], boost::test_tools::tolerance(1e-6f));
    const auto mean = static_cast<float>(options.latent->mean[c]),
               std = static_cast<float>(options.latent->std[c]);
    BOOST_TEST(second[k] == (raw_values[k] - mean) / std);
  }
  options.latent->mean.pop_back(), options.latent->std.pop_back();
  BOOST_TEST(has(refusal(items, dir / "none", options), "has 3 channels, the clips have 4"));

  ImportOptions measured;
  measured.measure_latents = true;
  pack(latents(7), dir / "measured", measured);
  const io::DatasetStats stats = io::measure_dataset(Dataset(dir / "measured"));
  for (const io::ChannelMoments& channel : stats.channels) {
    BOOST_TEST(std::abs(channel.mean) < 1e-5);
    BOOST_TEST(channel.std() == 1, boost::test_tools::tolerance(1e-5));
  }
  BOOST_TEST(has(refusal(items, dir / "none", measured), "normalised already"));
  BOOST_TEST(!noted(pack(latents(7), dir / "raw"), "look unnormalised"));
  Item large = latent(0);
  std::vector<float> values = exact_values(72, 0);
  for (float& v : values) v *= 4;
  large.clip = f32({4, 2, 3, 3}, values);
  BOOST_TEST(noted(pack({large}, dir / "large"), "look unnormalised"));

  // By the name that the items carry.
  Item wan = latent(3, {16, 1, 2, 2});
  wan.latent_space = "wan2.1", wan.normalised = io::Normalised::kNo;
  pack({wan}, dir / "wan");
  BOOST_TEST(
      (Dataset(dir / "wan").manifest().spec.latent == io::known_latent_space("wan2.1").value()));
}

BOOST_AUTO_TEST_CASE(captions_by_words_by_number_and_their_own) {
  const TempDir dir;
  write_table(dir / "table", {4, 0, 2});
  std::vector<Item> items = latents(3);
  ImportOptions options;
  options.text = dir / "table";
  const ImportReport by_number = pack(items, dir / "number", options);
  BOOST_TEST(by_number.notes.empty());
  const Dataset number(dir / "number");
  BOOST_TEST(number.read_captions().at(0).at(0) == "c4");
  BOOST_TEST(number.caption_rows(2, 0) == 3);
  BOOST_TEST(number.manifest().spec.text->encoder == "tiny");
  BOOST_TEST((number.context_shape() == Shape{6, 2}));
  std::vector<float> context(12);
  number.read_context(1, 0, context);
  BOOST_TEST(context == (std::vector<float>{0, 0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
             boost::test_tools::per_element());
  number.read_null_context(context);
  BOOST_TEST((context[0] == 7 && context[1] == 8 && context[2] == 0));

  items[0].captions = {{"c3", {}}, {"c1", {}}};
  items[1].captions = {{"unknown words", {}}};
  items[2].captions = {{"own", embedding(2, 5)}};
  const ImportReport by_words = pack(items, dir / "words", options);
  BOOST_TEST(has(by_words.skipped.at(0).reason, "does not have the caption \"unknown words\""));
  const Dataset words(dir / "words");
  BOOST_TEST(words.captions(0) == 2);
  // A table of the distinct captions assigns them to nobody here: fewer than there are clips.
  std::vector<Item> same = latents(4);
  for (Item& item : same) item.captions = {{"c2", {}}};
  BOOST_TEST(pack(same, dir / "same", options).pack.clips == 4);
  BOOST_TEST(words.caption_rows(0, 1) == 2);
  words.read_context(1, 0, context);
  BOOST_TEST(std::vector<float>(context.begin(), context.begin() + 4) == exact_values(4, 5),
             boost::test_tools::per_element());

  BOOST_TEST(noted(pack({items[0]}, dir / "left"), "captions, which are left out"));
  BOOST_TEST(!Dataset(dir / "left").manifest().spec.text);
  BOOST_TEST(noted(pack({items[2]}, dir / "own"), "the empty caption is missing"));
  Item wide = latent(1);
  wide.captions = {{"wide", f32({1, 3}, {1, 2, 3})}};
  BOOST_TEST(has(refusal({wide}, dir / "none", options), "2 and 3 values per token"));
  BOOST_TEST(has(refusal(latents(2), dir / "none", options),
                 "assigns captions to 3 clips, but there are 2"));
}

BOOST_AUTO_TEST_CASE(a_stopped_import_goes_on) {
  const TempDir dir;
  pack(latents(9), dir / "whole");
  std::stop_source stop;
  ImportOptions options;
  options.pack.stop = stop.get_token();
  int calls = 0;
  options.pack.progress = [&](std::int64_t, std::int64_t) {
    if (++calls == 9 + 5) stop.request_stop();
  };
  BOOST_TEST(!pack(latents(9), dir / "set", options).pack.finished);
  BOOST_TEST(!fs::exists(dir / "set/manifest.json"));
  const ImportReport rest = pack(latents(9), dir / "set");
  BOOST_TEST(rest.pack.continued_from == 4);
  BOOST_TEST((snapshot(dir / "set") == snapshot(dir / "whole")));
}

/// Parts that processes pack make, merged, the same clips; adding keeps what is there.
BOOST_AUTO_TEST_CASE(parts_and_additions) {
  const TempDir dir;
  for (int k = 0; k < 3; ++k) pack(latents(10), dir / str("part", k), {.part = k, .parts = 3});
  const io::Manifest merged =
      io::merge_datasets({dir / "part0", dir / "part1", dir / "part2"}, dir / "all");
  BOOST_TEST(merged.count == 10);
  BOOST_TEST(io::verify_dataset(dir / "all").empty());
  const Dataset all(dir / "all");
  std::vector<int> order;
  for (int k = 0; k < 3; ++k)
    for (int i = k; i < 10; i += 3) order.push_back(i);
  for (std::size_t i = 0; i < order.size(); ++i)
    BOOST_TEST(clip_of(all, static_cast<std::int64_t>(i)) == exact_values(72, order[i]),
               boost::test_tools::per_element());

  const auto before = snapshot(dir / "all");
  std::vector<Item> more = {latent(50), latent(51), latent(52)};
  pack(more, dir / "more");
  BOOST_TEST(io::merge_datasets({dir / "more"}, dir / "all").count == 13);
  BOOST_TEST(io::verify_dataset(dir / "all").empty());
  BOOST_TEST(clip_of(Dataset(dir / "all"), 12) == exact_values(72, 52),
             boost::test_tools::per_element());
  for (const auto& [name, content] : before)
    if (name != "manifest.json") BOOST_TEST((slurp(dir / "all" / name) == content), name);

  pack({latent(1, {4, 2, 3, 4})}, dir / "wide");
  const auto refused = [&](const fs::path& part) {
    return text_of<InvalidArgument>([&] { io::merge_datasets({part}, dir / "all"); });
  };
  BOOST_TEST(has(refused(dir / "wide"), "differ in shape: [4, 2, 3, 3] and [4, 2, 3, 4]"));
  BOOST_TEST(has(refused(dir / "all"), "cannot be added to itself"));
  spill(dir / "all/shard-00008.h5", "of another program");
  BOOST_TEST(has(refused(dir / "more"), "shard-00008.h5 is in the way"));
  BOOST_TEST(Dataset(dir / "all").size() == 13);
}

BOOST_AUTO_TEST_CASE(statistics_of_a_data_set) {
  const TempDir dir;
  write_table(dir / "table", {4, 0, 4, 2, 1});
  std::vector<Item> items = latents(4);
  items.push_back(latent(1));
  ImportOptions options;
  options.text = dir / "table";
  pack(items, dir / "set", options);
  const io::DatasetStats stats = io::measure_dataset(Dataset(dir / "set"));
  BOOST_TEST(stats.duplicate_count == 1);
  BOOST_TEST((stats.duplicates.at(0) == std::pair<std::int64_t, std::int64_t>(4, 1)));
  BOOST_TEST((stats.captions == 5 && stats.different_captions == 4 && stats.shortest == 1 &&
              stats.longest == 5));
  BOOST_TEST(stats.tokens == 5 + 1 + 5 + 3 + 2);
  double sum = 0, squares = 0;
  for (const int i : {0, 1, 2, 3, 1}) {
    const std::vector<float> values = exact_values(72, i);
    for (std::size_t k = 18; k < 36; ++k) sum += values[k], squares += values[k] * values[k];
  }
  const double mean = sum / 90;
  BOOST_TEST(stats.channels[1].mean == mean, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(stats.channels[1].std() == std::sqrt(squares / 90 - mean * mean),
             boost::test_tools::tolerance(1e-9));
}

// Data sets with captions, latent statistics and sources: version 2 of the format.
#define BOOST_TEST_MODULE text_dataset
#include <boost/test/unit_test.hpp>
#include <limits>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/loader.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

constexpr std::int64_t kWidth = 3, kMaxLength = 6, kClips = 10;

io::DatasetSpec text_spec(DType dtype = DType::kF32) {
  io::DatasetSpec spec = small_spec(DType::kF32);
  spec.text = io::TextSpec{.dtype = dtype, .width = kWidth, .max_length = kMaxLength};
  spec.text->encoder = "T5";
  spec.latent = {"wan2.1", {1, 2, 3}, {2, 4, 8}};
  spec.sources = true;
  return spec;
}

/// Value e of the embedding of caption k of clip i; exact in bf16.
float value_at(std::int64_t i, std::int64_t k, std::int64_t e) {
  return static_cast<float>(i) + 0.25f * static_cast<float>(k) + 16 * static_cast<float>(e % 4);
}

std::int64_t captions_of(std::int64_t i) {
  return 1 + i % 3;
}
std::int64_t rows_of(std::int64_t i, std::int64_t k) {
  return 1 + (i + k) % 4;
}

io::CaptionRecord caption(const io::DatasetSpec& spec, std::int64_t i, std::int64_t k) {
  io::CaptionRecord out{str("clip ", i, ", wording ", k), rows_of(i, k), {}};
  for (std::int64_t e = 0; e < out.rows * kWidth; ++e) {
    const float value = value_at(i, k, e);
    const bfloat16 half(value);
    const auto bytes = spec.text->dtype == DType::kF32 ? std::as_bytes(std::span(&value, 1))
                                                       : std::as_bytes(std::span(&half, 1));
    out.embedding.insert(out.embedding.end(), bytes.begin(), bytes.end());
  }
  return out;
}

io::ClipRecord record(const io::DatasetSpec& spec, std::int64_t i, const Bytes& clip) {
  io::ClipRecord out{.clip = clip, .label = static_cast<std::int32_t>(i % 3)};
  for (std::int64_t k = 0; k < captions_of(i); ++k) out.captions.push_back(caption(spec, i, k));
  out.source = str("videos/", i, ".mp4");
  out.width = 640, out.height = 360, out.frames = 100 + i, out.fps = 29.97;
  return out;
}

const io::Prompts kPrompts = {{io::kNullPrompt, {-1, -2, -3}}, {"blurry", {7, 7, 7, 8, 8, 8}}};

io::DatasetWriter open_writer(const fs::path& directory, const io::DatasetSpec& spec) {
  return {directory, spec, small_shards(), io::ForeignFiles::kRefuse, kPrompts};
}

void add_records(io::DatasetWriter& writer, const io::DatasetSpec& spec, std::int64_t end) {
  for (std::int64_t i; (i = writer.clips_done()) < end;) {
    const Bytes clip = small_clip(spec, i);
    writer.add(record(spec, i, clip));
  }
}

void make_text_dataset(const fs::path& directory, DType dtype = DType::kF32) {
  const io::DatasetSpec spec = text_spec(dtype);
  io::DatasetWriter writer = open_writer(directory, spec);
  add_records(writer, spec, kClips);
  writer.finish();
}

}  // namespace

BOOST_AUTO_TEST_CASE(captions_are_read_with_zero_rows_after_them) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const TempDir dir;
    make_text_dataset(dir / "set", dtype);
    io::Dataset set(dir / "set");
    BOOST_TEST(set.context_shape() == (Shape{kMaxLength, kWidth}));
    std::vector<float> context(kMaxLength * kWidth);
    for (std::int64_t i = 0; i < kClips; ++i) {
      BOOST_TEST(set.captions(i) == captions_of(i));
      for (std::int64_t draw = 0; draw < 7; ++draw) {
        const std::int64_t k = draw % captions_of(i);
        set.read_context(i, static_cast<std::uint64_t>(draw), context);
        for (std::int64_t e = 0; e < kMaxLength * kWidth; ++e) {
          const float expected = e < rows_of(i, k) * kWidth ? value_at(i, k, e) : 0;
          BOOST_TEST(context[static_cast<std::size_t>(e)] == expected);
        }
      }
    }
    const auto captions = set.read_captions();
    BOOST_TEST(captions.at(8).at(2) == "clip 8, wording 2");
    BOOST_TEST(set.caption_rows(8, 2) == rows_of(8, 2));
    const auto sources = set.read_sources();
    BOOST_TEST(sources.at(9).source == "videos/9.mp4");
    BOOST_TEST(sources.at(9).frames == 109);
    BOOST_TEST(sources.at(9).fps == 29.97, boost::test_tools::tolerance(1e-6));
  }
}

BOOST_AUTO_TEST_CASE(the_null_context_is_the_empty_caption) {
  const TempDir dir;
  make_text_dataset(dir / "set");
  io::Dataset set(dir / "set");
  set.set_context_length(8);
  std::vector<float> context(8 * kWidth, 5);
  set.read_null_context(context);
  for (std::size_t e = 0; e < context.size(); ++e)
    BOOST_TEST(context[e] == (e < 3 ? -1 - static_cast<float>(e) : 0));
  BOOST_TEST(io::find_prompt(set.prompts(), "blurry")->values.size() == 6u);
  BOOST_CHECK_EXCEPTION(set.set_context_length(3), InvalidArgument, [](const auto& e) {
    return std::string(e.what()).find("the longest caption or prompt has 4 tokens") !=
           std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(latents_are_normalised_per_channel) {
  const TempDir dir;
  make_text_dataset(dir / "set");
  const io::Dataset set(dir / "set");
  const auto elements = static_cast<std::size_t>(element_count(set.clip_shape()));
  std::vector<float> values(elements), stored(elements);
  set.read(4, values);
  set.read_stored(4, std::as_writable_bytes(std::span(stored)));
  const std::vector<float> mean = {1, 2, 3}, deviation = {2, 4, 8};
  for (std::size_t e = 0; e < elements; ++e) {
    const std::size_t c = e / (elements / 3);
    BOOST_TEST(values[e] == (stored[e] - mean[c]) / deviation[c]);
  }
}

BOOST_AUTO_TEST_CASE(the_loader_draws_captions_by_position) {
  const TempDir dir;
  make_text_dataset(dir / "set");
  const io::Dataset set(dir / "set");
  const io::SampleOrder order(set.size(), 7);
  const auto contexts = [&](std::int64_t batch, int threads, std::int64_t first) {
    std::vector<float> all;
    io::Loader loader(set, order,
                      {.batch_size = batch, .first_step = first / batch, .threads = threads});
    for (std::int64_t step = first / batch; step < 40 / batch; ++step) {
      const io::Batch read = loader.next();
      BOOST_TEST(read.context_shape == (Shape{batch, kMaxLength, kWidth}));
      all.insert(all.end(), read.context.begin(), read.context.end());
    }
    return all;
  };
  const std::vector<float> whole = contexts(4, 1, 0);
  BOOST_TEST((contexts(2, 3, 0) == whole));
  BOOST_TEST((contexts(4, 2, 20) ==
              std::vector<float>(whole.begin() + 20 * kMaxLength * kWidth, whole.end())));
  // Clip 8 has three captions; over many epochs, each is drawn.
  std::set<std::uint64_t> drawn;
  for (std::int64_t p = 0; p < 200; ++p)
    if (order.index_at(p) == 8) drawn.insert(order.draw_at(p) % 3);
  BOOST_TEST(drawn.size() == 3u);
}

BOOST_AUTO_TEST_CASE(an_interrupted_pack_continues_to_the_same_bytes) {
  const TempDir dir;
  make_text_dataset(dir / "whole");
  {
    const io::DatasetSpec spec = text_spec();
    io::DatasetWriter writer = open_writer(dir / "parts", spec);
    add_records(writer, spec, 5);
  }
  make_text_dataset(dir / "parts");
  for (const fs::directory_entry& entry : fs::directory_iterator(dir / "whole"))
    BOOST_TEST((slurp(entry.path()) == slurp(dir / "parts" / entry.path().filename())),
               entry.path());
  fs::remove(dir / "parts" / io::kPromptsName);
  BOOST_CHECK_THROW(io::Dataset(dir / "parts"), CorruptData);
  make_text_dataset(dir / "parts");
  BOOST_TEST(io::Dataset(dir / "parts").prompts().size() == 2u);
}

BOOST_AUTO_TEST_CASE(every_damaged_byte_is_found) {
  const TempDir dir;
  make_text_dataset(dir / "set");
  BOOST_TEST(io::verify_dataset(dir / "set").empty());
  std::mt19937 random(3);
  for (const char* name : {"shard-00001.h5", "prompts.safetensors"}) {
    const std::string good = slurp(dir / "set" / name);
    for (int trial = 0; trial < 300; ++trial) {
      std::string bad = good;
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
      spill(dir / "set" / name, bad);
      BOOST_TEST(!io::verify_dataset(dir / "set").empty());
    }
    spill(dir / "set" / name, good);
  }
}

BOOST_AUTO_TEST_CASE(equal_embeddings_are_stored_once) {
  const TempDir dir;
  io::DatasetSpec spec = text_spec();
  spec.text->width = 4096;
  const auto bytes_with = [&](const fs::path& path, bool equal) {
    io::DatasetWriter writer(path, spec, small_shards());
    for (std::int64_t i = 0; i < 4; ++i) {
      const Bytes clip = small_clip(spec, i);
      io::ClipRecord one = record(spec, i, clip);
      std::mt19937 random(equal ? 1u : static_cast<unsigned>(i));
      one.captions.resize(1);
      one.captions[0].rows = 1;
      one.captions[0].embedding.resize(4 * 4096);
      for (std::byte& byte : one.captions[0].embedding) byte = static_cast<std::byte>(random());
      writer.add(one);
    }
    writer.finish();
    BOOST_TEST(io::verify_dataset(path).empty());
    return io::Dataset(path).stored_bytes();
  };
  const auto different = bytes_with(dir / "different", false);
  BOOST_TEST(bytes_with(dir / "equal", true) + 3 * 4 * 4096 <= different);
}

BOOST_AUTO_TEST_CASE(records_that_do_not_fit_are_refused) {
  const TempDir dir;
  const io::DatasetSpec spec = text_spec();
  io::DatasetWriter writer = open_writer(dir / "set", spec);
  const Bytes clip = small_clip(spec, 0);
  const auto refused = [&](const std::string& reason, const auto& change) {
    io::ClipRecord bad = record(spec, 0, clip);
    change(bad);
    BOOST_CHECK_EXCEPTION(writer.add(bad), InvalidArgument, [&](const auto& e) {
      BOOST_TEST_MESSAGE(e.what());
      return std::string(e.what()).find(reason) != std::string::npos;
    });
  };
  refused("0 captions; expected 1 to 64", [](auto& r) { r.captions.clear(); });
  refused("65 captions", [](auto& r) { r.captions.resize(65, r.captions[0]); });
  refused("expected 1 to 6 tokens", [](auto& r) { r.captions[0].rows = 7; });
  refused("expected 1 to 6 tokens", [](auto& r) { r.captions[0].embedding.pop_back(); });
  refused("is not UTF-8", [](auto& r) { r.captions[0].text = "\xff"; });
  refused("is not UTF-8", [](auto& r) { r.source = "\xff"; });
  refused("frames/s", [](auto& r) { r.fps = -1; });
  BOOST_TEST(writer.clips_done() == 0);
  io::DatasetSpec plain = small_spec(DType::kF32);
  io::DatasetWriter without(dir / "plain", plain, small_shards());
  BOOST_CHECK_THROW(without.add(record(spec, 0, clip)), InvalidArgument);
  BOOST_CHECK_THROW(
      io::DatasetWriter(dir / "p", plain, small_shards(), io::ForeignFiles::kRefuse, kPrompts),
      InvalidArgument);
}

BOOST_AUTO_TEST_CASE(an_embedding_that_is_not_finite_is_refused) {
  const std::vector<float> values = {1, std::numeric_limits<float>::quiet_NaN()};
  BOOST_TEST(io::make_caption("a", 1, std::span(values).first(1), DType::kBF16).embedding.size() ==
             2u);
  BOOST_CHECK_EXCEPTION(static_cast<void>(io::make_caption("a cat", 1, values, DType::kF32)),
                        InvalidArgument, [](const auto& e) {
                          return std::string(e.what()).find("\"a cat\" has the value nan") !=
                                 std::string::npos;
                        });
}

BOOST_AUTO_TEST_CASE(data_sets_without_text_stay_version_1) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 5);
  BOOST_TEST(slurp(dir / "set" / "manifest.json").find("\"version\": 1") != std::string::npos);
  BOOST_TEST(slurp(dir / "set" / "shard-00000.h5")[8] == 1);
  make_text_dataset(dir / "text");
  BOOST_TEST(slurp(dir / "text" / "manifest.json").find("\"version\": 2") != std::string::npos);
  BOOST_TEST(slurp(dir / "text" / "shard-00000.h5")[8] == 2);
}

// The data set writer: limits, rejected input, and the state after a kill or on a full disk.
#define BOOST_TEST_MODULE dataset_writer
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/full_disk.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Dataset;
using eflow::io::DatasetWriter;
using eflow::io::verify_dataset;

BOOST_AUTO_TEST_CASE(shards_end_at_the_limits) {
  const TempDir dir;
  const io::DatasetSpec spec = small_spec(DType::kU8);  // 120 bytes per clip
  {
    DatasetWriter writer(dir / "bytes", spec, {250, 100});
    add_clips(writer, spec, 5);
    const io::Manifest manifest = writer.finish();
    BOOST_REQUIRE(manifest.shards.size() == 3u);
    BOOST_TEST(manifest.shards[0].count == 2);
    BOOST_TEST(manifest.shards[2].count == 1);
  }
  BOOST_CHECK_THROW(DatasetWriter(dir / "many", spec, {1 << 20, 4097}), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(wrong_input) {
  const TempDir dir;
  io::DatasetSpec spec = small_spec(DType::kU8);
  DatasetWriter writer(dir / "set", spec);
  const Bytes clip = small_clip(spec, 0);
  BOOST_TEST(has(text_of<InvalidArgument>([&] { writer.add(clip, 3); }), "label 3"));
  BOOST_CHECK_THROW(writer.add(clip, -1), InvalidArgument);
  BOOST_CHECK_THROW(writer.add(std::span(clip).first(3), 0), InvalidArgument);
  BOOST_CHECK_THROW(writer.finish(), InvalidArgument);
  BOOST_CHECK_THROW(DatasetWriter(dir / "set", spec), IoError);  // locked
  for (const auto& spoil : std::vector<std::function<void(io::DatasetSpec&)>>{
           [](auto& s) { s.dtype = DType::kI64; },
           [](auto& s) {
             s.shape = {1, 2, 3};
           },
           [](auto& s) {
             s.shape = {1, 2, 0, 3};
           },
           [](auto& s) { s.class_count = -1; }, [](auto& s) { s.class_names.pop_back(); },
           [](auto& s) { s.mapping.scale = 0; }, [](auto& s) { s.fps = 0; },
           [](auto& s) {
             s.shape = {1 << 10, 1 << 10, 1 << 10, 2};
           }}) {
    io::DatasetSpec bad = small_spec(DType::kU8);
    spoil(bad);
    BOOST_CHECK_THROW(bad.check(), InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(a_finished_set_is_left_alone) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 5);
  const auto before = snapshot(dir / "set");
  {
    DatasetWriter same(dir / "set", small_spec(DType::kU8), small_shards());
    BOOST_TEST(same.complete());
    BOOST_TEST(same.clips_done() == 5);
    BOOST_CHECK_THROW(same.add(small_clip(small_spec(DType::kU8), 0), 0), InvalidArgument);
  }
  io::DatasetSpec other = small_spec(DType::kU8);
  other.content_key = "another";
  BOOST_CHECK_THROW(DatasetWriter(dir / "set", other), InvalidArgument);
  BOOST_TEST((snapshot(dir / "set") == before));
}

BOOST_AUTO_TEST_CASE(killed_writers_leave_no_data_set_and_continue_to_equal_bytes) {
  const TempDir dir;
  make_dataset(dir / "whole", DType::kF32, 30);
  const auto whole = snapshot(dir / "whole");
  int killed = 0, continued = 0;
  for (int trial = 0; trial < 25; ++trial) {
    const fs::path set = dir / ("set-" + std::to_string(trial));
    for (unsigned wait = 500; run_and_kill(wait, [&] { make_dataset(set, DType::kF32, 30); });
         wait = wait * 3 / 2 + static_cast<unsigned>(trial) * 137) {
      ++killed;
      if (fs::exists(set / io::kManifestName)) {
        BOOST_TEST(verify_dataset(set).empty());
      } else {
        BOOST_CHECK_THROW(Dataset{set}, IoError);
      }
      if (fs::exists(set)) {
        continued += DatasetWriter(set, small_spec(DType::kF32), small_shards()).clips_done() > 0;
      }
    }
    make_dataset(set, DType::kF32, 30);
    BOOST_TEST((snapshot(set) == whole));
  }
  BOOST_TEST_MESSAGE(killed << " kills, " << continued << " of them left sealed shards");
  BOOST_TEST(killed > 25);
}

BOOST_AUTO_TEST_CASE(stale_shards_are_never_mixed_in) {
  const TempDir dir;
  io::DatasetSpec spec = small_spec(DType::kU8);
  {
    DatasetWriter writer(dir / "set", spec, small_shards());
    add_clips(writer, spec, 9);  // two sealed shards, then abandoned
  }
  spec.content_key = "other content";
  const auto before = snapshot(dir / "set");
  const std::string text =
      text_of<InvalidArgument>([&] { DatasetWriter(dir / "set", spec, small_shards()); });
  BOOST_TEST(has(text, (dir / "set/shard-00000.h5").string()), text);
  BOOST_TEST(has(text, (dir / "set/shard-00001.h5").string()), text);
  BOOST_TEST(has(text, "--overwrite"), text);
  BOOST_TEST((snapshot(dir / "set") == before));
  DatasetWriter writer(dir / "set", spec, small_shards(), io::ForeignFiles::kOverwrite);
  BOOST_TEST(writer.clips_done() == 0);
  add_clips(writer, spec, 2);
  writer.finish();
  BOOST_TEST(Dataset(dir / "set").size() == 2);
  BOOST_TEST(!fs::exists(dir / "set/shard-00001.h5"));
}

/// Files that another program named as shards, next to a pack, before one and beyond its end.
BOOST_AUTO_TEST_CASE(files_of_others_survive) {
  const TempDir dir;
  for (const std::string& content : {std::string("not a shard"), std::string(5000, 'x'),
                                     std::string("EFLOWSHD"), std::string()}) {
    const fs::path set = dir / "set";
    fs::create_directories(set);
    spill(set / "shard-00007.h5", content);
    spill(set / "shard-00000.h5.tmp-old", "notes");
    spill(set / "manifest.json.tmp-old", "{\"mine\": 1}");
    spill(set / "shard-1.h5", "short number");
    const auto before = snapshot(set);
    const std::string text = text_of<InvalidArgument>([&] { make_dataset(set, DType::kU8, 9); });
    BOOST_TEST(has(text, (set / "shard-00007.h5").string()), text);
    BOOST_TEST((snapshot(set) == before));
    {
      const io::DatasetSpec spec = small_spec(DType::kU8);
      DatasetWriter writer(set, spec, small_shards(), io::ForeignFiles::kOverwrite);
      add_clips(writer, spec, 9);
      writer.finish();
    }
    BOOST_TEST(!fs::exists(set / "shard-00007.h5"));
    BOOST_TEST(slurp(set / "shard-00000.h5.tmp-old") == "notes");
    BOOST_TEST(slurp(set / "shard-1.h5") == "short number");
    BOOST_TEST(verify_dataset(set).empty());
    spill(set / "shard-00009.h5", content);  // next to a complete set, it is not in the way
    make_dataset(set, DType::kU8, 9);
    BOOST_TEST(slurp(set / "shard-00009.h5") == content);
    fs::remove_all(set);
  }
  fs::create_directories(dir / "web");
  spill(dir / "web/manifest.json", "{\"name\": \"a web page\"}");
  const std::string text =
      text_of<InvalidArgument>([&] { make_dataset(dir / "web", DType::kU8, 5); });
  BOOST_TEST(has(text, "manifest.json"), text);
  BOOST_TEST(has(text, "--overwrite"), text);
  BOOST_TEST(slurp(dir / "web/manifest.json") == "{\"name\": \"a web page\"}");
  fs::create_directories(dir / "folder/shard-00000.h5");
  BOOST_CHECK_THROW(make_dataset(dir / "folder", DType::kU8, 5), InvalidArgument);
}

/// Damages a complete set of five shards in every way and packs again: the same bytes, and only the
/// broken files are written.
BOOST_AUTO_TEST_CASE(packing_again_repairs_what_is_broken_and_only_that) {
  const TempDir dir;
  const fs::path set = dir / "set";
  make_dataset(set, DType::kF32, 18);
  const auto whole = snapshot(set);
  const auto shard = [&](int i) { return set / ("shard-0000" + std::to_string(i) + ".h5"); };
  const std::size_t size = fs::file_size(shard(1));
  std::vector<std::function<void()>> ways{
      [&] { fs::remove(shard(0)); },
      [&] { fs::remove(shard(4)); },  // the last, which is not full
      [&] { fs::resize_file(shard(2), size / 2); },
      [&] { flip_bit(shard(1), size - 700), flip_bit(shard(3), 200), fs::remove(shard(4)); },
      [&] { fs::remove(set / "manifest.json"); },
      [&] { flip_bit(set / "manifest.json", 300), flip_bit(shard(2), size / 2); },
      [&] { fs::resize_file(set / "manifest.json", 0); },
  };
  for (std::size_t at = 24; at < size; at += size / 40 + 1)
    ways.emplace_back([&, at] { flip_bit(shard(1), at); });
  for (std::size_t i = 0; i < ways.size(); ++i) {
    ways[i]();
    std::map<std::string, fs::file_time_type> intact;
    for (const auto& [name, content] : whole) {
      const bool same = fs::exists(set / name) && slurp(set / name) == content;
      if (same) intact[name] = fs::last_write_time(set / name);
    }
    if (fs::exists(set / "manifest.json") && intact.count("manifest.json")) {
      DatasetWriter writer(set, small_spec(DType::kF32), small_shards());
      BOOST_TEST(writer.repairing());
      BOOST_TEST(!writer.complete());
    }
    make_dataset(set, DType::kF32, 18);
    BOOST_TEST((snapshot(set) == whole), "way " << i);
    for (const auto& [name, time] : intact) {
      const bool partial = !intact.count("manifest.json") && name == "shard-00004.h5";
      BOOST_TEST((partial || fs::last_write_time(set / name) == time), name << ", way " << i);
    }
  }
}

/// A shard without a recognisable header may be someone's file: it is renamed, not removed.
BOOST_AUTO_TEST_CASE(a_shard_beyond_recognition_is_set_aside) {
  const TempDir dir;
  const fs::path set = dir / "set";
  make_dataset(set, DType::kU8, 9);
  const auto whole = snapshot(set);
  spill(set / "shard-00001.h5", "a letter");
  make_dataset(set, DType::kU8, 9);
  BOOST_TEST(slurp(set / "shard-00001.h5.set-aside-1") == "a letter");
  fs::remove(set / "shard-00001.h5.set-aside-1");
  BOOST_TEST((snapshot(set) == whole));

  io::DatasetSpec other = small_spec(DType::kU8);
  other.content_key = "another";
  {
    DatasetWriter writer(dir / "other", other, small_shards());
    add_clips(writer, other, 9);
    writer.finish();
  }
  fs::copy_file(dir / "other/shard-00001.h5", set / "shard-00001.h5",
                fs::copy_options::overwrite_existing);
  const std::string text = text_of<InvalidArgument>([&] { make_dataset(set, DType::kU8, 9); });
  BOOST_TEST(has(text, "other content"), text);
  BOOST_TEST(slurp(set / "shard-00001.h5") == slurp(dir / "other/shard-00001.h5"));
}

/// A file that cannot be read is not a damaged one.
BOOST_AUTO_TEST_CASE(reading_errors_repair_nothing) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 9);
  const auto before = snapshot(dir / "set");
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  for (rlim_t limit = 3; limit < 12; ++limit) {
    const rlimit few{limit, old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    try {
      const DatasetWriter writer(dir / "set", small_spec(DType::kU8), small_shards());
      BOOST_TEST(writer.complete());
    } catch (const IoError&) {
    }
    ::setrlimit(RLIMIT_NOFILE, &old);
    BOOST_TEST((snapshot(dir / "set") == before));
  }
}

BOOST_AUTO_TEST_CASE(full_disk) {
  const TempDir dir;
  const auto pack = [](const fs::path& set) { make_dataset(set, DType::kF32, 40); };
  expect_no_space(dir, 24 << 10, [&](const fs::path& disk) {
    BOOST_CHECK_THROW(pack(disk / "set"), NoSpaceError);
    BOOST_CHECK_THROW(Dataset(disk / "set"), IoError);
  });
  // A file size limit stops the write in the middle of a shard, as a full disk would.
  with_file_size_limit(3000, [&] { BOOST_CHECK_THROW(pack(dir / "set"), IoError); });
  BOOST_CHECK_THROW(Dataset(dir / "set"), IoError);
  pack(dir / "set");
  BOOST_TEST(verify_dataset(dir / "set").empty());
}

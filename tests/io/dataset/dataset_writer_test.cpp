// The data set writer: limits, rejected input, and the state after a kill or on a full disk.
#define BOOST_TEST_MODULE dataset_writer
#include <boost/test/unit_test.hpp>

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
  DatasetWriter writer(dir / "set", spec, small_shards());
  BOOST_TEST(writer.clips_done() == 0);
  add_clips(writer, spec, 2);
  writer.finish();
  BOOST_TEST(Dataset(dir / "set").size() == 2);
  BOOST_TEST(!fs::exists(dir / "set/shard-00001.h5"));
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

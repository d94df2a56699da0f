// Checkpoints of several writers: the same arrays as of one, damage and foreign files are named with
// their rank, and a kill at any moment leaves the checkpoint before.
#define BOOST_TEST_MODULE divided_save
#include "eflow/io/checkpoint/divided_save.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/tests/io/io_support.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Checkpoint;
using eflow::io::CheckpointStore;
using eflow::io::NamedBytes;

namespace {

constexpr std::uint64_t kBlock = io::kSaveBlock;

/// Arrays of one to some blocks, whose bytes depend on the step.
struct State {
  std::vector<Bytes> bytes;
  std::vector<NamedBytes> arrays;

  explicit State(std::int64_t step) {
    add("model/wide", DType::kF32, {5, static_cast<std::int64_t>(kBlock) - 100}, step);
    add("model/bias", DType::kBF16, {7}, step);
    add("model/none", DType::kF32, {0, 3}, step);
    add("adamw/wide", DType::kF64, {static_cast<std::int64_t>(2 * kBlock)}, step);
    add("counter", DType::kI64, {}, step);
    for (std::size_t i = 0; i < arrays.size(); ++i) arrays[i].bytes = bytes[i];
  }

  /// What writer `index` of `count` has: blocks in turn, so that ranges of elements are divided.
  [[nodiscard]] std::vector<NamedBytes> of(int index, int count) const {
    std::vector<NamedBytes> parts;
    for (const NamedBytes& array : arrays) {
      const std::uint64_t size = size_of(array.dtype), all = array.bytes.size() / size;
      const std::uint64_t blocks = (all + kBlock - 1) / kBlock;
      const auto at = [&](int i) {
        return std::min(all, blocks * static_cast<std::uint64_t>(i) /
                                 static_cast<std::uint64_t>(count) * kBlock);
      };
      NamedBytes part = array;
      part.first = at(index);
      const std::uint64_t end = index + 1 == count ? all : at(index + 1);
      part.bytes = array.bytes.subspan(part.first * size, (end - part.first) * size);
      if (index == 0 || !part.bytes.empty()) parts.push_back(part);
    }
    return parts;
  }

 private:
  void add(const std::string& name, DType dtype, const Shape& shape, std::int64_t step) {
    Bytes b(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
    for (std::size_t i = 0; i < b.size(); ++i)
      b[i] = static_cast<std::byte>(i * 31 + i / 251 + static_cast<std::size_t>(step) * 7);
    bytes.push_back(std::move(b));
    arrays.push_back({name, dtype, shape, {}});
  }
};

void save(const CheckpointStore& store, std::int64_t step, int writers) {
  const State state(step);
  io::DividedSave save(store, step, io::bound_of_save(state.arrays, writers, "{}"));
  std::vector<std::string> reports;
  for (int w = 0; w < writers; ++w)
    reports.push_back(io::write_save_part(save.folder(), step, {w, writers}, state.of(w, writers)));
  BOOST_TEST(save.publish(reports, "{\"a\":1}") == store.path_of(step));
}

bool holds(const Checkpoint& checkpoint, const State& state) {
  checkpoint.verify();
  const auto loaded = checkpoint.load();
  bool same = loaded.size() == state.arrays.size();
  for (std::size_t i = 0; same && i < loaded.size(); ++i) {
    same = loaded[i].name == state.arrays[i].name && loaded[i].dtype == state.arrays[i].dtype &&
           loaded[i].shape == state.arrays[i].shape && loaded[i].bytes == state.bytes[i] &&
           checkpoint.load_one(loaded[i].name).bytes == state.bytes[i];
  }
  return same;
}

fs::path part_path(const CheckpointStore& store, std::int64_t step, int rank, int ranks) {
  char name[40];
  std::snprintf(name, sizeof name, "state-%05d-of-%05d.h5", rank, ranks);
  return store.path_of(step) / name;
}

}  // namespace

BOOST_AUTO_TEST_CASE(any_number_of_writers_saves_the_same_arrays) {
  const TempDir dir;
  CheckpointStore one(dir / "one");
  one.save(3, State(3).arrays, "{\"a\":1}");
  const std::string digest = Checkpoint(one.path_of(3)).digest();
  for (const int writers : {1, 2, 3, 8}) {
    const CheckpointStore store(dir / std::to_string(writers));
    save(store, 3, writers);
    const Checkpoint checkpoint(store.path_of(3));
    BOOST_TEST(holds(checkpoint, State(3)), writers << " writers");
    BOOST_TEST(checkpoint.digest() == digest);
    BOOST_TEST(checkpoint.metadata() == "{\"a\":1}");
    BOOST_TEST(store.latest_good()->step() == 3);
    BOOST_TEST(std::distance(fs::directory_iterator(store.path_of(3)), {}) == writers + 1);
  }
  // A single writer leaves what every earlier version reads.
  BOOST_TEST((snapshot(dir / "one") == snapshot(dir / "1")));
  save(CheckpointStore(dir / "one"), 3, 4);  // replaces it
  BOOST_TEST(holds(Checkpoint(one.path_of(3)), State(3)));
}

BOOST_AUTO_TEST_CASE(a_manifest_of_an_earlier_version_is_read) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  store.save(3, State(3).arrays, "{}");
  const std::string before = Checkpoint(store.path_of(3)).digest();
  auto manifest = nlohmann::json::parse(slurp(store.path_of(3) / "manifest.json"));
  BOOST_TEST(manifest.at("version") == 1);
  manifest.erase("checksum");
  for (auto& array : manifest.at("arrays")) BOOST_TEST(array.erase("content") == 1u);
  spill(store.path_of(3) / "manifest.json", io::with_checksum(manifest));
  const Checkpoint checkpoint(store.path_of(3));
  BOOST_TEST(holds(checkpoint, State(3)));
  BOOST_TEST(checkpoint.digest() != before);
}

BOOST_AUTO_TEST_CASE(a_missing_file_names_its_rank) {
  const TempDir dir;
  const CheckpointStore store(dir / "c");
  save(store, 1, 3);
  save(store, 2, 3);
  const fs::path gone = part_path(store, 2, 1, 3);
  const auto bytes = fs::file_size(gone);
  fs::remove(gone);
  const std::string text =
      text_of<io::MissingCheckpoint>([&] { Checkpoint(store.path_of(2)).verify(); });
  for (const std::string& part :
       {store.path_of(2).string(), gone.filename().string(), std::string("rank 1 of 3"),
        std::to_string(bytes), std::string("copy it")})
    BOOST_TEST(has(text, part), text);
  const Warnings warnings;
  BOOST_TEST(store.latest_good()->step() == 1);
  BOOST_TEST(warnings.count_with("rank 1 of 3") == 1);
}

BOOST_AUTO_TEST_CASE(a_foreign_file_is_named_for_what_it_is) {
  const TempDir dir;
  const CheckpointStore store(dir / "c");
  save(store, 1, 3);
  save(store, 2, 3);
  const fs::path path = part_path(store, 2, 1, 3), kept = dir / "kept";
  fs::copy_file(path, kept);
  const auto refused = [&](const fs::path& other, const std::string& is) {
    fs::copy_file(other, path, fs::copy_options::overwrite_existing);
    for (const bool loads : {true, false}) {
      const std::string text = text_of<CorruptData>([&] {
        const Checkpoint checkpoint(store.path_of(2));
        if (loads) static_cast<void>(checkpoint.load());
        if (!loads) checkpoint.verify();
      });
      for (const std::string& part : {path.string(), is, std::string("step 2, rank 1 of 3")})
        BOOST_TEST(has(text, part), text);
    }
  };
  refused(part_path(store, 1, 1, 3), "step 1, rank 1 of 3");
  refused(part_path(store, 2, 2, 3), "step 2, rank 2 of 3");
  fs::copy_file(kept, path, fs::copy_options::overwrite_existing);
  BOOST_TEST(holds(Checkpoint(store.path_of(2)), State(2)));
}

BOOST_AUTO_TEST_CASE(every_flipped_byte_and_truncation_of_a_part_is_found_and_named) {
  const TempDir dir;
  const CheckpointStore store(dir / "c");
  save(store, 3, 2);
  const fs::path path = part_path(store, 3, 1, 2);
  const std::string good = slurp(path);
  std::size_t missed = 0;
  const auto look = [&] {
    const std::string text = text_of<Error>([&] { Checkpoint(store.path_of(3)).verify(); });
    missed += !has(text, path.string());
  };
  for (std::size_t at = 0; at < good.size(); at += at < 8192 ? 7 : 4099) {
    flip_bit(path, at);
    look();
    flip_bit(path, at);
  }
  for (std::size_t size = good.size() - 1; size > 0; size -= std::min<std::size_t>(size, 50021)) {
    fs::resize_file(path, size);
    look();
  }
  BOOST_TEST(missed == 0u);
  spill(path, good);
  BOOST_TEST(holds(Checkpoint(store.path_of(3)), State(3)));
}

BOOST_AUTO_TEST_CASE(parts_must_be_everything_once) {
  const TempDir dir;
  const CheckpointStore store(dir / "c");
  const State state(1);
  const auto refused = [&](const std::vector<std::vector<NamedBytes>>& writers,
                           const std::string& expected) {
    io::DividedSave save(store, 1, 0);
    const auto count = static_cast<int>(writers.size());
    const std::string text = text_of<InvalidArgument>([&] {
      std::vector<std::string> reports;
      for (int w = 0; w < count; ++w)
        reports.push_back(io::write_save_part(save.folder(), 1, {w, count},
                                              writers[static_cast<std::size_t>(w)]));
      static_cast<void>(save.publish(reports, "{}"));
    });
    BOOST_TEST(has(text, expected), text);
  };
  refused({state.of(0, 3), state.of(1, 3)}, "model/wide");  // the rest lacks
  refused({state.of(0, 2), state.of(0, 2)}, "model/wide");  // twice
  refused({state.of(1, 2), state.of(0, 2)}, "not among");   // the first lists all
  std::vector<NamedBytes> odd = state.of(0, 1);
  odd[0].first = 1;
  odd[0].bytes = odd[0].bytes.subspan(4);
  refused({odd}, "multiple of");
  BOOST_TEST(store.list().empty());
  BOOST_TEST(fs::is_empty(dir / "c"));  // no temporary folders
}

BOOST_AUTO_TEST_CASE(kills_leave_the_checkpoint_before) {
  const TempDir dir;
  const CheckpointStore store(dir / "c", {.keep_last = 2});
  save(store, 1, 2);
  int killed = 0, leftovers = 0;
  for (int trial = 0; trial < 30; ++trial) {
    const std::int64_t last = store.list().back();
    killed += run_and_kill(static_cast<unsigned>(1000 + trial * 1931 % 40000), [&] {
      for (std::int64_t step = last + 1;; ++step) save(store, step, 2 + static_cast<int>(step % 3));
    });
    for (const auto& entry : fs::directory_iterator(dir / "c"))
      leftovers += has(entry.path().string(), ".tmp-");
    const Warnings warnings;
    const auto checkpoint = store.latest_good();
    BOOST_REQUIRE(checkpoint.has_value());
    BOOST_TEST(warnings.texts.empty());
    BOOST_TEST(checkpoint->step() >= last);
    BOOST_TEST(holds(*checkpoint, State(checkpoint->step())));
  }
  store.remove_leftovers();
  for (const auto& entry : fs::directory_iterator(dir / "c"))
    BOOST_TEST(!has(entry.path().string(), ".tmp-"));
  BOOST_TEST_MESSAGE(killed << " kills, " << leftovers << " folders left behind and cleaned");
  BOOST_TEST(killed > 10);
}

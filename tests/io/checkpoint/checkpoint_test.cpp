// Checkpoints: contents are exact, damage is located, kills and full disks leave earlier
// checkpoints intact, and retention keeps the right ones.
#define BOOST_TEST_MODULE checkpoint
#include "eflow/io/checkpoint/checkpoint.hpp"

#include <sys/file.h>
#include <sys/syscall.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/full_disk.hpp"
#include "eflow/tests/io/io_support.hpp"
#include "eflow/tests/support/warnings.hpp"

namespace {
int flock_error = 0, memfd_error = 0;  ///< if not 0, the calls below fail with them
}

/// These take the place of the C library's.
extern "C" int failing_flock(int fd, int operation) __asm__("flock");
extern "C" int failing_memfd(const char* name, unsigned flags) __asm__("memfd_create");
extern "C" int failing_flock(int fd, int operation) {
  if (flock_error != 0) return errno = flock_error, -1;
  return static_cast<int>(syscall(SYS_flock, fd, operation));
}
extern "C" int failing_memfd(const char* name, unsigned flags) {
  if (memfd_error != 0) return errno = memfd_error, -1;
  return static_cast<int>(syscall(SYS_memfd_create, name, flags));
}

using namespace eflow;
using namespace eflow::test;
using eflow::io::Checkpoint;
using eflow::io::CheckpointStore;
using eflow::io::NamedBytes;

namespace {

/// A small training state whose bytes depend on the step.
struct State {
  std::vector<Bytes> bytes;
  std::vector<NamedBytes> arrays;

  explicit State(std::int64_t step, std::int64_t large = 1000) {
    add("model/blocks.0.attn.qkv.weight", DType::kF32, {10, large / 10}, step);
    add("model/blocks.0.attn.qkv.bias", DType::kBF16, {7}, step);
    add("optimizer/model/blocks.0.attn.qkv.weight/m", DType::kF64, {3, 3}, step);
    add("counters", DType::kI64, {}, step);
    add("empty", DType::kF32, {0, 4}, step);
    add("bytes", DType::kU8, {5}, step);
    add("labels", DType::kI32, {2, 2}, step);
    for (std::size_t i = 0; i < arrays.size(); ++i) arrays[i].bytes = bytes[i];
  }

 private:
  void add(const std::string& name, DType dtype, const Shape& shape, std::int64_t step) {
    Bytes b(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
    for (std::size_t i = 0; i < b.size(); ++i) {
      b[i] = static_cast<std::byte>(i * 31 + static_cast<std::size_t>(step) * 7 + name.size());
    }
    bytes.push_back(std::move(b));
    arrays.push_back({name, dtype, shape, {}});
  }
};

void save(CheckpointStore& store, std::int64_t step, std::int64_t large = 1000) {
  store.save(step, State(step, large).arrays, "{\"step\": " + std::to_string(step) + "}");
}

bool holds(const Checkpoint& checkpoint, const State& state) {
  const auto loaded = checkpoint.load();
  bool same = loaded.size() == state.arrays.size();
  for (std::size_t i = 0; same && i < loaded.size(); ++i) {
    same = loaded[i].name == state.arrays[i].name && loaded[i].dtype == state.arrays[i].dtype &&
           loaded[i].shape == state.arrays[i].shape && loaded[i].bytes == state.bytes[i];
  }
  return same;
}

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip) {
  const TempDir dir;
  CheckpointStore store(dir / "checkpoints");
  BOOST_TEST(store.list().empty());
  BOOST_TEST(!store.latest_good().has_value());
  save(store, 12);
  const auto checkpoint = store.latest_good();
  BOOST_REQUIRE(checkpoint.has_value());
  BOOST_TEST(checkpoint->step() == 12);
  BOOST_TEST(checkpoint->metadata() == "{\"step\":12}");
  BOOST_TEST(holds(*checkpoint, State(12)));
  BOOST_TEST(checkpoint->load("model/").size() == 2u);
  BOOST_TEST(checkpoint->load("nothing").empty());
  BOOST_TEST(checkpoint->contains("counters"));
  BOOST_TEST((checkpoint->load_one("bytes").bytes == State(12).bytes[5]));
  const std::string text =
      text_of<InvalidArgument>([&] { static_cast<void>(checkpoint->load_one("countrs")); });
  BOOST_TEST(has(text, "\"counters\""));
}

BOOST_AUTO_TEST_CASE(wrong_input_changes_nothing) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  const auto before = snapshot(dir / "c");
  const Bytes four(4);
  const auto refused = [&](const std::string& name, const Shape& shape, const std::string& json) {
    const NamedBytes array{name, DType::kF32, shape, four};
    BOOST_CHECK_THROW(store.save(2, std::span(&array, 1), json), InvalidArgument);
  };
  refused("a", {2}, "{}");
  refused("a", {1}, "{");
  for (const char* name : {"", "/a", "a/", "a//b", "a/../b", "a/./b", "a b", "a\nb", "\xc3\xa4"}) {
    refused(name, {1}, "{}");
  }
  const std::vector<NamedBytes> twice(2, {"a", DType::kF32, {1}, four});
  BOOST_CHECK_THROW(store.save(2, twice, "{}"), InvalidArgument);
  // A name cannot be both an array and a group; HDF5 reports the conflict during the layout.
  const std::vector<NamedBytes> clash{{"a", DType::kF32, {1}, four},
                                      {"a/b", DType::kF32, {1}, four}};
  BOOST_CHECK_THROW(store.save(2, clash, "{}"), Error);
  BOOST_CHECK_THROW(store.save(-1, {}, "{}"), InvalidArgument);
  BOOST_CHECK_THROW(CheckpointStore(dir / "c", {.keep_last = 0}), InvalidArgument);
  BOOST_TEST((snapshot(dir / "c") == before));
}

BOOST_AUTO_TEST_CASE(every_flipped_byte_and_truncation_is_found_and_named) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 3, 100);
  for (const char* name : {"state.h5", "manifest.json"}) {
    const fs::path path = store.path_of(3) / name;
    const std::string good = slurp(path);
    std::size_t missed = 0;
    const auto look = [&] {
      const std::string text = text_of<Error>([&] { Checkpoint(store.path_of(3)).verify(); });
      missed += !has(text, path.string());
    };
    for (std::size_t at = 0; at < good.size(); ++at) {
      flip_bit(path, at);
      look();
      flip_bit(path, at);
    }
    // Starts before the last significant byte (a manifest ends with a newline).
    for (std::size_t size = good.size() - 2; size > 0; size -= std::min<std::size_t>(size, 97)) {
      fs::resize_file(path, size);
      look();
    }
    BOOST_TEST(missed == 0u, name << ": " << missed << " not found");
    spill(path, good);
  }
  BOOST_TEST(holds(Checkpoint(store.path_of(3)), State(3, 100)));
}

BOOST_AUTO_TEST_CASE(bad_ones_are_passed_over_with_a_reason) {
  const TempDir dir;
  CheckpointStore store(dir / "c", {.keep_last = 5});
  for (const std::int64_t step : {10, 20, 30, 40}) save(store, step);
  fs::resize_file(store.path_of(40) / "state.h5", 500);
  fs::remove(store.path_of(30) / "manifest.json");
  const test::Warnings warnings;
  const auto checkpoint = store.latest_good();
  BOOST_REQUIRE(checkpoint.has_value());
  BOOST_TEST(checkpoint->step() == 20);
  BOOST_REQUIRE(warnings.texts.size() == 2u);
  BOOST_TEST(has(warnings.texts[0], "step 40"));
  BOOST_TEST(has(warnings.texts[0], "cut short"));
  BOOST_TEST(has(warnings.texts[1], "step 30"));
}

BOOST_AUTO_TEST_CASE(damage_names_the_array) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  const Checkpoint checkpoint(store.path_of(1));
  const auto manifest = nlohmann::json::parse(slurp(store.path_of(1) / "manifest.json"));
  const auto offset = manifest.at("arrays").at(1).at("offset").get<std::size_t>();
  flip_bit(store.path_of(1) / "state.h5", offset + 3);
  const std::string text =
      text_of<CorruptData>([&] { static_cast<void>(checkpoint.load("model/")); });
  BOOST_TEST(has(text, "model/blocks.0.attn.qkv.bias"));
  BOOST_TEST(has(text, "expected"));
  BOOST_TEST(has(text, str("bytes ", offset)));
  BOOST_TEST(checkpoint.load("counters").size() == 1u);
}

BOOST_AUTO_TEST_CASE(retention) {
  const TempDir dir;
  CheckpointStore store(dir / "c", {.keep_last = 2, .keep_every = 30});
  for (std::int64_t step = 10; step <= 100; step += 10) save(store, step, 10);
  BOOST_TEST((store.list() == std::vector<std::int64_t>{30, 60, 90, 100}));
  save(store, 70, 10);  // a new attempt from an earlier step; later checkpoints stay
  BOOST_TEST((store.list() == std::vector<std::int64_t>{30, 60, 70, 90, 100}));
  for (const auto& entry : fs::directory_iterator(dir / "c")) {
    BOOST_TEST(!has(entry.path().string(), ".tmp-"));
  }
}

BOOST_AUTO_TEST_CASE(the_same_step_is_replaced) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  store.save(5, State(1).arrays, "{}");
  store.save(5, State(2).arrays, "{}");
  BOOST_TEST(holds(Checkpoint(store.path_of(5)), State(2)));
  BOOST_TEST(std::distance(fs::directory_iterator(dir / "c"), fs::directory_iterator()) == 1);
}

BOOST_AUTO_TEST_CASE(kills_leave_the_last_committed_one) {
  const TempDir dir;
  constexpr std::int64_t kLarge = 200000;
  int killed = 0, leftovers = 0;
  CheckpointStore store(dir / "c", {.keep_last = 2});
  save(store, 1, kLarge);
  for (int trial = 0; trial < 40; ++trial) {
    const std::int64_t last = store.list().back();
    const int patience = leftovers > 0 ? 1 : 8;  // on a busy machine a child starts late
    killed += run_and_kill(static_cast<unsigned>((500 + trial * 431 % 20000) * patience), [&] {
      CheckpointStore child(dir / "c", {.keep_last = 2});
      for (std::int64_t step = last + 1;; ++step) save(child, step % 3 == 0 ? last : step, kLarge);
    });
    for (const auto& entry : fs::directory_iterator(dir / "c")) {
      leftovers += has(entry.path().string(), ".tmp-");
    }
    const test::Warnings warnings;
    const auto checkpoint = store.latest_good();
    BOOST_REQUIRE(checkpoint.has_value());
    BOOST_TEST(warnings.texts.empty());
    BOOST_TEST(checkpoint->step() >= last);
    const bool whole = holds(*checkpoint, State(checkpoint->step(), kLarge));
    BOOST_TEST(whole);
  }
  store.remove_leftovers();
  for (const auto& entry : fs::directory_iterator(dir / "c")) {
    BOOST_TEST(!has(entry.path().string(), ".tmp-"));
  }
  BOOST_TEST_MESSAGE(killed << " kills, " << leftovers
                            << " temporary directories left behind and cleaned");
  BOOST_TEST(killed > 20);
  BOOST_TEST(leftovers > 0);
}

BOOST_AUTO_TEST_CASE(a_save_in_progress_is_no_leftover) {
  const TempDir dir;
  fs::create_directories(dir / "c/step-00000009.tmp-abcdef");
  fs::create_directories(dir / "c/notes.tmp-1");
  CheckpointStore store(dir / "c");
  {
    const FileDescriptor held = open_read(dir / "c/step-00000009.tmp-abcdef");
    BOOST_REQUIRE(::flock(held.get(), LOCK_EX) == 0);
    store.remove_leftovers();
    BOOST_TEST(fs::exists(dir / "c/step-00000009.tmp-abcdef"));
  }
  store.remove_leftovers();
  BOOST_TEST(!fs::exists(dir / "c/step-00000009.tmp-abcdef"));
  BOOST_TEST(fs::exists(dir / "c/notes.tmp-1"));  // not a name that the store uses
}

BOOST_AUTO_TEST_CASE(full_disk) {
  const TempDir dir;
  expect_no_space(dir, 1 << 20, [&](const fs::path& disk) {
    CheckpointStore store(disk / "c");
    save(store, 1, 50000);
    const auto before = snapshot(disk / "c");
    // The free-space check rejects this before anything is written.
    BOOST_CHECK_THROW(save(store, 2, 1000000), NoSpaceError);
    BOOST_TEST((snapshot(disk / "c") == before));
    // The disk fills up during the save, with various amounts of space left, down to none.
    for (std::size_t free = 0; free < 300000; free += 20000) {
      std::error_code code;
      fs::remove(disk / "ballast", code);
      const std::size_t room = fs::space(disk).available;
      spill(disk / "ballast", std::string(room > free ? room - free : 0, 'x'));
      try {
        save(store, 2, 50000);
        fs::remove_all(store.path_of(2));
      } catch (const NoSpaceError&) {
      }
      BOOST_TEST((snapshot(disk / "c") == before));
    }
  });
}

/// The limit is exceeded either by the checked size of state.h5 or only by the manifest.
BOOST_AUTO_TEST_CASE(limits_on_file_size) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  const auto before = snapshot(dir / "c");
  int failed = 0;
  for (rlim_t limit = 0; limit < 40000; limit += 4096) {
    with_file_size_limit(limit, [&] {
      try {
        save(store, 2);
        fs::remove_all(store.path_of(2));
      } catch (const IoError&) {
        ++failed;
      }
    });
    BOOST_TEST((snapshot(dir / "c") == before));
  }
  BOOST_TEST(failed > 3);
  save(store, 2);
  BOOST_TEST(holds(*store.latest_good(), State(2)));
}

BOOST_AUTO_TEST_CASE(saves_without_anonymous_files_and_without_locks) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  flock_error = ENOLCK;
  memfd_error = EPERM;
  save(store, 2);
  save(store, 2);  // replaces
  flock_error = memfd_error = 0;
  BOOST_TEST(holds(Checkpoint(store.path_of(2)), State(2, 1000)));
  BOOST_TEST(slurp(store.path_of(1) / "state.h5").size() ==
             slurp(store.path_of(2) / "state.h5").size());
  BOOST_TEST(std::distance(fs::directory_iterator(store.path_of(2)), {}) == 2);
  BOOST_TEST(std::distance(fs::directory_iterator(dir / "c"), {}) == 2);
}

BOOST_AUTO_TEST_CASE(a_reused_process_id_does_not_block_a_save) {
  const TempDir dir;
  std::vector<FileDescriptor> held;
  for (int n = 0; n < 200; ++n) {
    const fs::path path =
        dir / ("c/step-00000001.tmp-" + std::to_string(getpid()) + "-" + std::to_string(n));
    fs::create_directories(path);
    held.push_back(open_read(path));
    BOOST_REQUIRE(::flock(held.back().get(), LOCK_EX) == 0);  // of a process in another container
  }
  CheckpointStore store(dir / "c");
  save(store, 1);
  BOOST_TEST(holds(Checkpoint(store.path_of(1)), State(1, 1000)));
  BOOST_TEST(std::distance(fs::directory_iterator(dir / "c"), {}) == 201);
}

BOOST_AUTO_TEST_CASE(what_will_be_replaced_is_known) {
  const TempDir dir;
  CheckpointStore store(dir / "c", {.keep_last = 2, .keep_every = 10});
  BOOST_TEST(store.replaceable() == 0u);
  for (const std::int64_t step : {10, 11, 12}) save(store, step);
  BOOST_TEST(store.list().size() == 3u);
  BOOST_TEST(store.replaceable() == 2u);  // step 10 stays
}

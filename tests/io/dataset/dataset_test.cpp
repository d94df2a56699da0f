// Shards and manifests: clips survive a round trip, damage anywhere is found and located, and
// nothing in a file is trusted.
#define BOOST_TEST_MODULE dataset
#include <sys/resource.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Dataset;
using eflow::io::verify_dataset;
namespace data = boost::unit_test::data;

BOOST_DATA_TEST_CASE(round_trip, data::make({DType::kU8, DType::kBF16, DType::kF32}), dtype) {
  const TempDir dir;
  make_dataset(dir / "set", dtype, 11);
  const io::DatasetSpec spec = small_spec(dtype);
  const Dataset set(dir / "set");
  BOOST_TEST(set.size() == 11);
  BOOST_TEST(set.clip_shape() == spec.shape);
  BOOST_TEST(set.class_count() == 3);
  BOOST_TEST(set.class_names() == spec.class_names);
  BOOST_TEST(set.manifest().shards.size() == 3u);
  Bytes stored(set.bytes_per_clip());
  std::vector<float> values(120);
  for (std::int64_t i = 0; i < 11; ++i) {
    BOOST_TEST(set.read_stored(i, stored) == i % 3);
    BOOST_TEST((stored == small_clip(spec, i)));
    set.read(i, values);
    const double tolerance = dtype == DType::kU8 ? 1.01 / 255 : dtype == DType::kBF16 ? 4e-3 : 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const float expected = std::sin(0.1f * static_cast<float>(k) + static_cast<float>(i));
      BOOST_REQUIRE(std::abs(values[k] - expected) <= tolerance);
    }
    BOOST_TEST(set.labels()[static_cast<std::size_t>(i)] == i % 3);
  }
  BOOST_TEST(verify_dataset(dir / "set").empty());
}

BOOST_AUTO_TEST_CASE(bytes_are_a_function_of_content) {
  const TempDir dir;
  make_dataset(dir / "one", DType::kF32, 6);
  ::usleep(1100000);  // exposes time stamps with a resolution of one second
  make_dataset(dir / "two", DType::kF32, 6);
  BOOST_TEST((snapshot(dir / "one") == snapshot(dir / "two")));
}

BOOST_AUTO_TEST_CASE(wrong_calls) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 5);
  const Dataset set(dir / "set");
  std::vector<float> values(120), few(7);
  BOOST_CHECK_THROW(set.read(5, values), InvalidArgument);
  BOOST_CHECK_THROW(set.read(-1, values), InvalidArgument);
  BOOST_CHECK_THROW(set.read(0, few), InvalidArgument);
  BOOST_CHECK_THROW(Dataset(dir / "nowhere"), IoError);
  fs::create_directory(dir / "empty");
  BOOST_TEST(has(text_of<IoError>([&] { Dataset(dir / "empty"); }), "interrupted"));
}

/// Flips a bit in every byte of shard and manifest, one at a time: each must be detected, with a
/// message that names the file.
BOOST_AUTO_TEST_CASE(every_flipped_byte_is_found) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kBF16, 3);
  for (const char* name : {"shard-00000.h5", "manifest.json"}) {
    const fs::path path = dir / "set" / name;
    const std::string good = slurp(path);
    std::size_t missed = 0, unnamed = 0;
    for (std::size_t at = 0; at < good.size(); ++at) {
      flip_bit(path, at);
      const auto faults = verify_dataset(dir / "set");
      missed += faults.empty();
      for (const io::Fault& fault : faults) unnamed += !has(fault.text, path.string());
      flip_bit(path, at);
    }
    BOOST_TEST(missed == 0u, name << ": " << missed << " of " << good.size() << " not found");
    BOOST_TEST(unnamed == 0u);
  }
  BOOST_TEST(verify_dataset(dir / "set").empty());
}

BOOST_AUTO_TEST_CASE(damage_names_file_sample_and_offset) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kF32, 10);
  const fs::path path = dir / "set" / "shard-00001.h5";  // clips 4..7
  const std::string good = slurp(path);
  // Sample 6 is the third of its shard: entry at 128 + 2 * 24, offset first.
  std::uint64_t offset = 0;
  std::memcpy(&offset, good.data() + 128 + 2 * 24, 8);
  std::string bad = good;
  bad[offset + 9] = static_cast<char>(bad[offset + 9] ^ 0x10);
  spill(path, bad);
  const Dataset set(dir / "set");
  std::vector<float> values(120);
  set.read(5, values);
  const std::string text = text_of<CorruptData>([&] { set.read(6, values); });
  BOOST_TEST(has(text, path.string()));
  BOOST_TEST(has(text, "sample 6"));
  BOOST_TEST(has(text, str("bytes ", offset)));
  BOOST_TEST(has(text, "pack the data set again"), text);
  const auto faults = verify_dataset(dir / "set");
  BOOST_REQUIRE(faults.size() == 1u);
  BOOST_TEST(faults[0].sample == 6);
  BOOST_TEST(faults[0].byte_offset == offset);
}

BOOST_AUTO_TEST_CASE(every_truncation_is_found) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 3);
  const fs::path path = dir / "set" / "shard-00000.h5";
  const std::string good = slurp(path);
  for (std::size_t size = 0; size < good.size(); size += 61) {
    spill(path, good.substr(0, size));
    const std::string text = text_of<CorruptData>([&] { Dataset(dir / "set"); });
    BOOST_TEST(has(text, path.string()));
    BOOST_TEST(has(text, "pack the data set again"), text);
  }
  spill(path, good + "x");
  BOOST_CHECK_THROW(Dataset(dir / "set"), CorruptData);
  fs::remove(path);
  const std::string missing = text_of<IoError>([&] { Dataset(dir / "set"); });
  BOOST_TEST(has(missing, path.string() + " is missing"), missing);
  BOOST_TEST(has(missing, "pack the data set again"), missing);
  BOOST_TEST(verify_dataset(dir / "set").size() == 1u);
}

namespace {

/// Writes `value` into the header of a user block and recomputes its checksum, as an attacker
/// would.
template <class T>
std::string forged(std::string shard, std::size_t at, T value) {
  std::memcpy(shard.data() + at, &value, sizeof value);
  std::uint64_t block = 0;
  std::memcpy(&block, shard.data() + 16, 8);
  if (block < 512 || block > shard.size()) return shard;
  const Hash128 hash = hash128(std::as_bytes(std::span(shard.data(), block - 16)));
  std::memcpy(shard.data() + block - 16, &hash.high, 8);
  std::memcpy(shard.data() + block - 8, &hash.low, 8);
  return shard;
}

}  // namespace

BOOST_AUTO_TEST_CASE(hostile_indices_are_refused) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kF32, 3);
  const fs::path path = dir / "set" / "shard-00000.h5";
  const std::string good = slurp(path);
  const auto refused = [&](const std::string& bad) {
    spill(path, bad);
    const auto faults = verify_dataset(dir / "set");
    return !faults.empty();
  };
  for (const std::uint64_t v : {0ull, 1ull, 513ull, 1ull << 18, 1ull << 40, ~0ull}) {
    BOOST_TEST(refused(forged(good, 16, v)), "user block " << v);
    BOOST_TEST(refused(forged(good, 24, v)), "file size " << v);
    BOOST_TEST(refused(forged(good, 56, v)), "clip bytes " << v);
    BOOST_TEST(refused(forged(good, 80, v)), "labels at " << v);
    BOOST_TEST(refused(forged(good, 128, v)), "sample at " << v);
  }
  for (const std::uint32_t v : {0u, 7u, 1u << 20, ~0u}) {
    BOOST_TEST(refused(forged(good, 32, v + 10)), "dtype " << v);
    BOOST_TEST(refused(forged(good, 36, v)), "count " << v);
    BOOST_TEST(refused(forged(good, 40, v)), "channels " << v);
    BOOST_TEST(refused(forged(good, 136, v)), "stored " << v);
    BOOST_TEST(refused(forged(good, 140, v)), "raw " << v);
  }
}

BOOST_AUTO_TEST_CASE(shards_of_another_set_are_refused) {
  const TempDir dir;
  make_dataset(dir / "one", DType::kF32, 3);
  make_dataset(dir / "two", DType::kF32, 4);
  fs::copy_file(dir / "two/shard-00000.h5", dir / "one/shard-00000.h5",
                fs::copy_options::overwrite_existing);
  BOOST_TEST(has(text_of<CorruptData>([&] { Dataset(dir / "one"); }), "another data set"));
}

namespace {

/// Runs `body` in a child process and returns its result; 1 if it throws.
int exit_code_of(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      _exit(body());
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      _exit(1);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(descriptors_are_kept_up_to_half_of_the_limit) {
  const TempDir dir;
  make_dataset(dir / "set", DType::kU8, 400);  // 100 shards
  BOOST_TEST(exit_code_of([&] {
               const auto open_files = [] {
                 return std::distance(fs::directory_iterator("/proc/self/fd"), {});
               };
               const auto before = open_files();
               for (const rlim_t most : {rlim_t{12}, rlim_t{100}}) {
                 const rlimit limit{most, 1024};
                 if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 2;
                 const Dataset first(dir / "set"), second(dir / "set");
                 if (open_files() - before > static_cast<long>(most / 2)) return 3;
                 if (most > 64 && open_files() - before < 50) return 4;
                 Bytes clip(first.bytes_per_clip());
                 for (std::int64_t i = 0; i < 400; i += 7) second.read_stored(i, clip);
               }
               return open_files() == before ? 0 : 5;
             }) == 0);
}

// Containers, the disk cache and packs under failures: corruption, truncation, key collisions,
// foreign owners, read-only and full disks, too many entries.
#define BOOST_TEST_MODULE disk_cache
#include "eflow/jit/cache/disk_cache.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/cache/cache_directory.hpp"
#include "eflow/jit/cache/pack.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/canonical.hpp"
#include "eflow/tests/support/jit/jit_samples.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::jit;
using test::sample_artifact;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<DiskCache> open_cache(DiskCacheOptions options) {
  std::string why;
  auto cache = DiskCache::open(options, why);
  BOOST_REQUIRE_MESSAGE(cache, why);
  return cache;
}

std::string only_entry(const DiskCache& cache) {
  const auto entries = cache.entries();
  BOOST_REQUIRE(entries.size() == 1u);
  return entries[0].path;
}

void overwrite(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// Counts warnings during its lifetime.
}  // namespace

BOOST_AUTO_TEST_CASE(containers_survive_a_round_trip) {
  const Artifact a = sample_artifact(1);
  const auto back = Artifact::decode(a.encode());
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->request == a.request);
  BOOST_TEST(back->image == a.image);
  BOOST_TEST(back->log == a.log);
  BOOST_TEST(back->resources.registers == a.resources.registers);
  BOOST_TEST(back->seconds == a.seconds);
  BOOST_TEST((back->key == a.key));
}

BOOST_AUTO_TEST_CASE(every_changed_or_missing_byte_is_found) {
  const std::string good = sample_artifact(1).encode();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x41);
    std::string why;
    BOOST_TEST(!Artifact::decode(bad, &why), "byte " << i);
    BOOST_TEST(!why.empty());
    BOOST_TEST(!Artifact::decode(good.substr(0, i)), "cut at " << i);
  }
  BOOST_TEST(!Artifact::decode(good + '\0'));
}

BOOST_AUTO_TEST_CASE(damaged_files_are_misses_and_move_to_quarantine) {
  const test::TempDir dir;
  const auto cache = open_cache({.root = dir.path()});
  const Artifact a = sample_artifact(1);
  const std::string good = a.encode();
  std::string why;
  for (const std::size_t at : {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{41},
                               std::size_t{60}, good.size() / 2, good.size() - 1}) {
    BOOST_REQUIRE(cache->put(a));
    BOOST_REQUIRE(cache->get(a.key, a.request, why) != nullptr);
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] + 1);
    overwrite(only_entry(*cache), bad);
    BOOST_TEST(cache->get(a.key, a.request, why) == nullptr, "byte " << at);
    BOOST_TEST(cache->entries().empty());
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{8}, std::size_t{56}, good.size() - 1}) {
    BOOST_REQUIRE(cache->put(a));
    overwrite(only_entry(*cache), good.substr(0, size));
    BOOST_TEST(cache->get(a.key, a.request, why) == nullptr, "cut to " << size);
  }
  BOOST_TEST(!fs::is_empty(dir.path() / "v1/quarantine"));
}

BOOST_AUTO_TEST_CASE(a_key_is_not_trusted) {
  const test::TempDir dir;
  const auto cache = open_cache({.root = dir.path()});
  Artifact a = sample_artifact(1);
  const Artifact b = sample_artifact(2);
  a.key = b.key;  // simulates a hash collision
  BOOST_REQUIRE(cache->put(a));
  std::string why;
  BOOST_TEST(cache->get(b.key, b.request, why) == nullptr);
  BOOST_TEST(why.find("another request") != std::string::npos);
  BOOST_REQUIRE(cache->put(b));
  BOOST_TEST(cache->get(b.key, b.request, why)->image == b.image);
}

BOOST_AUTO_TEST_CASE(directories_of_others_are_refused) {
  const test::TempDir dir;
  const fs::path open_to_all = dir / "open";
  fs::create_directory(open_to_all);
  chmod(open_to_all.c_str(), 0777);
  std::string why;
  BOOST_TEST(!DiskCache::open({.root = open_to_all}, why));
  BOOST_TEST(why.find("chmod go-w") != std::string::npos, why);
  overwrite(dir / "file", "x");
  BOOST_TEST(!DiskCache::open({.root = dir / "file"}, why));
  if (geteuid() == 0) {
    const fs::path foreign = dir / "foreign";
    fs::create_directory(foreign);
    BOOST_REQUIRE(chown(foreign.c_str(), 12345, 12345) == 0);
    BOOST_TEST(!DiskCache::open({.root = foreign}, why));
    BOOST_TEST(why.find("belongs to user 12345") != std::string::npos, why);

    const auto cache = open_cache({.root = dir / "mine"});
    const Artifact a = sample_artifact(1);
    BOOST_REQUIRE(cache->put(a));
    BOOST_REQUIRE(chown(only_entry(*cache).c_str(), 12345, 12345) == 0);
    BOOST_TEST(cache->get(a.key, a.request, why) == nullptr);
  }
  overwrite(dir / "target", "x");
  const auto cache = open_cache({.root = dir / "links"});
  const Artifact a = sample_artifact(1);
  BOOST_REQUIRE(cache->put(a));
  const std::string path = only_entry(*cache);
  fs::rename(path, dir / "elsewhere");
  fs::create_symlink(dir / "elsewhere", path);
  BOOST_TEST(cache->get(a.key, a.request, why) == nullptr);
}

BOOST_AUTO_TEST_CASE(the_root_is_chosen_by_the_chain) {
  const test::TempDir dir;
  const std::string home = dir / "home", xdg = dir / "xdg", temporary = dir / "tmp";
  fs::create_directory(temporary);
  const std::string mine = str("eflow-", geteuid());
  BOOST_TEST(choose_cache_root({.named = "", .home = home}).path.empty());
  BOOST_TEST(choose_cache_root({.named = dir / "named", .home = home}).path == dir / "named");
  BOOST_TEST(choose_cache_root({.xdg_cache_home = xdg, .home = home}).path ==
             fs::path(xdg) / "eflow");
  BOOST_TEST(choose_cache_root({.home = home}).path == fs::path(home) / ".cache/eflow");
  BOOST_TEST(choose_cache_root({.home = "", .temporary = temporary}).path ==
             fs::path(temporary) / mine);
  overwrite(dir / "not-a-directory", "x");
  const CacheRoot fallen =
      choose_cache_root({.home = dir / "not-a-directory", .temporary = temporary});
  BOOST_TEST(fallen.path == fs::path(temporary) / mine);
  BOOST_TEST(!fallen.warning.empty());
  const CacheRoot none = choose_cache_root({.named = dir / "not-a-directory"});
  BOOST_TEST(none.path.empty());
  BOOST_TEST(!none.warning.empty());
  struct stat info {};
  BOOST_REQUIRE(stat((fs::path(home) / ".cache/eflow").c_str(), &info) == 0);
  BOOST_TEST((info.st_mode & 0777) == 0700u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_costs_one_warning) {
  const test::TempDir dir;
  const std::string small = dir / "small";
  fs::create_directory(small);
  if (geteuid() != 0 || mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0) {
    BOOST_TEST_MESSAGE("skipped: mounting a small tmpfs needs root");
    return;
  }
  {
    const test::Warnings warnings;
    const auto cache = open_cache({.root = small});
    Artifact a = sample_artifact(1);
    BOOST_TEST(cache->put(a));
    Artifact big = sample_artifact(2);
    big.image.assign(256 * 1024, 'x');
    BOOST_TEST(!cache->put(big));
    BOOST_TEST(!cache->put(big));
    BOOST_TEST(warnings.count() == 1);
    std::string why;
    BOOST_TEST(cache->get(a.key, a.request, why) != nullptr);
    BOOST_TEST(cache->get(big.key, big.request, why) == nullptr);
    for (const auto& file : fs::recursive_directory_iterator(small)) {
      BOOST_TEST(!file.path().filename().string().starts_with(".tmp."), file.path());
    }
    // Remounted read-only: hits still work, puts warn.
    BOOST_REQUIRE(mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    const auto reader = open_cache({.root = small});
    BOOST_TEST(reader->get(a.key, a.request, why) != nullptr);
    BOOST_TEST(!reader->put(sample_artifact(3)));
    BOOST_TEST(!reader->lock(a.key).held());
  }
  umount2(small.c_str(), MNT_DETACH);
}

BOOST_AUTO_TEST_CASE(the_least_recently_used_go_first) {
  const test::TempDir dir;
  const std::uint64_t each = sample_artifact(0).encode().size();
  const auto cache = open_cache({.root = dir.path(),
                                 .max_bytes = each * 10 + each / 2,
                                 .min_age = std::chrono::seconds(0),
                                 .stamp_every = std::chrono::seconds(0)});
  for (int i = 0; i < 9; ++i) {
    const Artifact a = sample_artifact(i);
    BOOST_REQUIRE(cache->put(a));
    const timespec old[2] = {{1000 + i, 0}, {1000 + i, 0}};
    const fs::path path =
        dir.path() / "v1/obj" / to_hex(a.key).substr(0, 2) / (to_hex(a.key) + ".art");
    BOOST_REQUIRE(utimensat(AT_FDCWD, path.c_str(), old, 0) == 0);
  }
  fs::remove_all(dir.path() / "v1/use");  // stamps may be lost
  fs::create_directory(dir.path() / "v1/use");
  chmod((dir / "v1/use").c_str(), 0700);
  std::string why;
  const Artifact first = sample_artifact(0);
  BOOST_REQUIRE(cache->get(first.key, first.request, why) !=
                nullptr);  // now the most recently used
  for (int i = 9; i < 11; ++i) BOOST_REQUIRE(cache->put(sample_artifact(i)));
  const CollectReport report = cache->collect();
  BOOST_TEST(report.bytes <= each * 10);
  BOOST_TEST(cache->get(first.key, first.request, why) != nullptr);
  for (int i : {1, 2}) {
    const Artifact gone = sample_artifact(i);
    BOOST_TEST(cache->get(gone.key, gone.request, why) == nullptr, "entry " << i);
  }
  const Artifact kept = sample_artifact(10);
  BOOST_TEST(cache->get(kept.key, kept.request, why) != nullptr);
}

BOOST_AUTO_TEST_CASE(young_entries_and_live_temporaries_stay) {
  const test::TempDir dir;
  const auto cache = open_cache({.root = dir.path(), .max_bytes = 1});
  for (int i = 0; i < 5; ++i) BOOST_REQUIRE(cache->put(sample_artifact(i)));
  const fs::path shard = fs::path(cache->entries()[0].path).parent_path();
  overwrite(shard / ".tmp.live", "x");
  overwrite(shard / ".tmp.dead", "x");
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  BOOST_REQUIRE(utimensat(AT_FDCWD, (shard / ".tmp.dead").c_str(), old, 0) == 0);
  const CollectReport report = cache->collect();
  BOOST_TEST(report.entries == 5u);
  BOOST_TEST(report.removed_entries == 1u);
  BOOST_TEST(fs::exists(shard / ".tmp.live"));
  BOOST_TEST(!fs::exists(shard / ".tmp.dead"));
}

BOOST_AUTO_TEST_CASE(collecting_under_load_breaks_no_reader) {
  const test::TempDir dir;
  const std::uint64_t each = sample_artifact(0).encode().size();
  const DiskCacheOptions options{
      .root = dir.path(), .max_bytes = each * 20, .min_age = std::chrono::seconds(0)};
  std::atomic<int> wrong{0}, hits{0};
  const auto work = [&](int offset) {
    std::string why;
    const auto cache = DiskCache::open(options, why);
    if (!cache) return static_cast<void>(++wrong);
    for (int n = 0; n < 150; ++n) {
      const Artifact a = sample_artifact((n * 7 + offset) % 40);
      const ArtifactPtr got = cache->get(a.key, a.request, why);
      if (got && got->image != a.image) ++wrong;
      if (got) ++hits;
      if (!got && !cache->put(a)) ++wrong;
      if (n % 20 == 0) (void)cache->collect();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) threads.emplace_back(work, t * 11);
  }
  BOOST_TEST(wrong == 0);
  BOOST_TEST(hits > 0);
  BOOST_TEST(open_cache(options)->collect().bytes <= each * 20);
  BOOST_TEST(fs::is_empty(dir.path() / "v1/quarantine"));
}

BOOST_AUTO_TEST_CASE(a_lock_is_waited_for_and_then_done_without) {
  const test::TempDir dir;
  const auto cache =
      open_cache({.root = dir.path(), .lock_timeout = std::chrono::milliseconds(50)});
  const Key key = sample_artifact(1).key;
  KeyLock first = cache->lock(key);
  BOOST_TEST(first.held());
  BOOST_TEST(!cache->lock(key).held());
  first = KeyLock();
  BOOST_TEST(cache->lock(key).held());
}

BOOST_AUTO_TEST_CASE(packs_answer_by_request_and_by_what_any_compiler_made_of_it) {
  const test::TempDir dir;
  std::vector<ArtifactPtr> all;
  for (int i = 0; i < 5; ++i) all.push_back(std::make_shared<Artifact>(sample_artifact(i)));
  write_pack(dir / "kernels.pack", all);
  std::string why;
  const auto pack = Pack::open(dir / "kernels.pack", why);
  BOOST_REQUIRE_MESSAGE(pack, why);
  BOOST_TEST(pack->size() == 5u);
  for (const ArtifactPtr& a : all) {
    BOOST_TEST(pack->get(a->key, a->request, why)->image == a->image);
    const auto request = BuildRequest::decode(a->request);
    BOOST_TEST(pack->get_portable(request->portable_bytes(), why)->image == a->image);
  }
  const Artifact absent = sample_artifact(9);
  BOOST_TEST(!pack->get(absent.key, absent.request, why));
  BOOST_TEST(!pack->get(all[0]->key, absent.request, why));
  BOOST_TEST(!pack->get_portable(BuildRequest::decode(absent.request)->portable_bytes(), why));

  std::string bytes = read_file(dir / "kernels.pack");
  for (std::size_t at = 0; at < 72 + 80 * 5; at += 7) {  // header and index
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    overwrite(dir / "bad.pack", bad);
    BOOST_TEST(!Pack::open(dir / "bad.pack", why), "byte " << at);
  }
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  overwrite(dir / "bad.pack", bytes);
  const auto damaged = Pack::open(dir / "bad.pack", why);
  BOOST_REQUIRE(damaged);
  int sound = 0;
  for (const ArtifactPtr& a : all) sound += damaged->get(a->key, a->request, why) != nullptr;
  BOOST_TEST(sound == 4);
  BOOST_TEST(!Pack::open(dir / "absent.pack", why));
}

BOOST_AUTO_TEST_CASE(a_pack_has_tuning_records_or_is_of_the_schema_without) {
  const test::TempDir dir;
  std::vector<ArtifactPtr> all;
  for (int i = 0; i < 3; ++i) all.push_back(std::make_shared<Artifact>(sample_artifact(i)));
  write_pack(dir / "tuned.pack", all, "the records");
  std::string why;
  const auto pack = Pack::open(dir / "tuned.pack", why);
  BOOST_REQUIRE_MESSAGE(pack, why);
  BOOST_TEST(pack->tuning() == "the records");
  const std::string bytes = read_file(dir / "tuned.pack");
  std::string bad = bytes;
  bad.back() = 'S';
  overwrite(dir / "bad.pack", bad);
  const auto damaged = Pack::open(dir / "bad.pack", why);
  BOOST_REQUIRE(damaged);
  BOOST_CHECK_THROW(static_cast<void>(damaged->tuning()), CorruptData);
  BOOST_TEST(damaged->get(all[0]->key, all[0]->request, why) != nullptr);
  overwrite(dir / "short.pack", bytes.substr(0, bytes.size() - 1));
  BOOST_TEST(!Pack::open(dir / "short.pack", why));

  // The same as schema 1, whose header ends before the records.
  constexpr std::size_t kFields = 32, kHeader = 40;
  ByteReader rows(std::string_view(bytes).substr(kHeader + kFields, 80 * 3));
  ByteWriter index, old;
  for (int i = 0; i < 3; ++i) {
    index.raw(rows.raw(64));
    index.u64(rows.u64() - kFields);
    index.u64(rows.u64());
  }
  const std::string old_rows = index.take();
  const Hash128 sum = hash128(std::as_bytes(std::span(old_rows)));
  old.raw("EFLWPACK").u64(1).u64(3).u64(sum.high).u64(sum.low).raw(old_rows);
  old.raw(std::string_view(bytes).substr(kHeader + kFields + 80 * 3));
  overwrite(dir / "old.pack", old.take());
  const auto older = Pack::open(dir / "old.pack", why);
  BOOST_REQUIRE_MESSAGE(older, why);
  BOOST_TEST(older->tuning() == "");
  for (const ArtifactPtr& a : all) BOOST_TEST(older->get(a->key, a->request, why) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_pack_that_is_overwritten_while_open_is_a_miss) {
  const test::TempDir dir;
  std::vector<ArtifactPtr> all;
  for (int i = 0; i < 5; ++i) all.push_back(std::make_shared<Artifact>(sample_artifact(i)));
  write_pack(dir / "kernels.pack", all);
  std::string why;
  const auto pack = Pack::open(dir / "kernels.pack", why);
  BOOST_REQUIRE_MESSAGE(pack, why);
  fs::resize_file(dir / "kernels.pack", 100);  // a mapping would end the process with SIGBUS
  for (const ArtifactPtr& a : all) BOOST_TEST(!pack->get(a->key, a->request, why));
  BOOST_TEST(why.find("truncated") != std::string::npos, why);
  std::ofstream(dir / "kernels.pack", std::ios::trunc) << std::string(100000, 'x');
  for (const ArtifactPtr& a : all) BOOST_TEST(!pack->get(a->key, a->request, why));
}

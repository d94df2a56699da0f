// The JIT on difficult machines: fork, CPU quotas, read-only directories, wrong clocks, other
// versions of eflow, no home directory, no compiler. Each may cost speed, but must not cause
// failures.
#define BOOST_TEST_MODULE hostile_machine
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>

#include "eflow/jit/cache/cache_directory.hpp"
#include "eflow/jit/cache/disk_cache.hpp"
#include "eflow/jit/host/fork_count.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/jit/jit_samples.hpp"
#include "eflow/tests/support/national_locale.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::jit;
using test::sample_artifact;
namespace fs = std::filesystem;

namespace {

constexpr const char* kText =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/pack.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "struct Count { float* y; long long n; };\n"
    "template <int kTimes>\n"
    "void count(const Block& block, const Count& a) { a.y[block.x] += kTimes; }\n"
    "}\n";

struct Count {
  float* y;
  long long n;
};

KernelRef count_by(int times) {
  return {"count", KernelSpec("count", {}, {times})};
}

std::unique_ptr<Runtime> start(const Options& options, const std::string& text = kText) {
  auto runtime = std::make_unique<Runtime>(options);
  runtime->add_text("acme/count.h", text);
  runtime->define({.name = "count",
                   .text = "acme/count.h",
                   .expression = "count<$c0>",
                   .space = {},
                   .shared_bytes = {}});
  return runtime;
}

/// Whether every block of a launch ran exactly once.
bool launches(const Runtime& runtime, int times) {
  std::vector<float> y(100);
  runtime.launch("count", count_by(times).spec, {.x = 100}, Count{y.data(), 100});
  return y == std::vector<float>(100, static_cast<float>(times));
}

/// Runs f in a forked child. Returns whether it returned true.
bool in_child(const std::function<bool()>& f) {
  const pid_t child = fork();
  if (child == 0) {
    bool good = false;
    try {
      good = f();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    _exit(good ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::unique_ptr<DiskCache> open_cache(const DiskCacheOptions& options) {
  std::string why;
  auto cache = DiskCache::open(options, why);
  BOOST_REQUIRE_MESSAGE(cache, why);
  return cache;
}

void set_time(const fs::path& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  BOOST_REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_forked_child_computes_and_compiles) {
  const test::TempDir dir;
  Options options;
  options.cache.named = dir / "cache";
  options.threads = 3;
  const unsigned forks = fork_count();
  auto runtime = start(options);
  BOOST_REQUIRE(runtime->prepare({count_by(2)})[0].ok());
  BOOST_TEST(launches(*runtime, 2));
  // The child has no pool threads; it must still be able to launch, and to destroy the Runtime.
  BOOST_TEST(in_child([&] {
    const bool good = fork_count() != forks && launches(*runtime, 2) &&
                      runtime->prepare({count_by(3)})[0].ok() && launches(*runtime, 3);
    runtime.reset();
    const auto fresh = start(options);
    return good && fresh->prepare({count_by(2)})[0].ok() && launches(*fresh, 2);
  }));
  BOOST_TEST(launches(*runtime, 2));
  BOOST_TEST(name_of(start(options)->prepare({count_by(3)})[0].origin) == "disk cache");
}

BOOST_AUTO_TEST_CASE(a_quota_costs_one_warning) {
  const test::TempDir dir;
  BOOST_TEST(in_child([&] {
    const test::Warnings warnings;
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    std::string why;
    const auto cache = DiskCache::open({.root = dir / "cache"}, why);
    const Artifact small = sample_artifact(1);
    Artifact big = sample_artifact(2);
    big.image.assign(64 * 1024, 'x');
    bool good = cache && cache->put(small) && !cache->put(big) && !cache->put(big);
    good = good && warnings.count() == 1 && cache->get(small.key, small.request, why) != nullptr;
    good = good && cache->get(big.key, big.request, why) == nullptr;
    for (const auto& file : fs::recursive_directory_iterator(dir / "cache"))
      good = good && !file.path().filename().string().starts_with(".tmp.");
    return good;
  }));
}

BOOST_AUTO_TEST_CASE(a_directory_that_may_only_be_read_serves_hits) {
  const test::TempDir dir;
  chmod(dir.path().c_str(), 0755);
  BOOST_TEST(in_child([&] {
    const fs::path root = dir / "cache";
    if (geteuid() == 0) {  // root can write anywhere
      fs::create_directory(root);
      if (chown(root.c_str(), 65534, 65534) != 0 || setuid(65534) != 0) return false;
    }
    const test::Warnings warnings;
    std::string why;
    const Artifact a = sample_artifact(1);
    {
      const auto cache = DiskCache::open({.root = root}, why);
      if (!cache || !cache->put(a)) return false;
    }
    std::vector<fs::path> folders{root};
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_directory()) folders.push_back(entry.path());
    }
    for (const fs::path& folder : folders) chmod(folder.c_str(), 0500);
    const auto cache = DiskCache::open({.root = root}, why);
    const bool good = cache && !cache->writable() && cache->get(a.key, a.request, why) != nullptr &&
                      !cache->put(sample_artifact(2)) && !cache->put(sample_artifact(3)) &&
                      warnings.count() == 1;
    for (const fs::path& folder : folders) chmod(folder.c_str(), 0700);
    return good;
  }));
}

BOOST_AUTO_TEST_CASE(wrong_clocks_make_nothing_immortal) {
  const test::TempDir dir;
  const std::uint64_t each = sample_artifact(0).encode().size();
  const auto cache = open_cache({.root = dir.path(), .max_bytes = each * 5});
  const std::int64_t now = std::time(nullptr), year = 365 * 24 * 3600;
  for (int i = 0; i < 20; ++i) BOOST_REQUIRE(cache->put(sample_artifact(i)));
  fs::remove_all(dir.path() / "v1/use");
  fs::create_directory(dir.path() / "v1/use");
  chmod((dir / "v1/use").c_str(), 0700);
  const auto entries = cache->entries();
  for (std::size_t i = 0; i < entries.size(); ++i)
    set_time(entries[i].path, i % 2 == 0 ? now + year : 1);
  const fs::path litter = fs::path(entries[0].path).parent_path() / ".tmp.future";
  std::ofstream(litter) << "x";
  set_time(litter, now + year);
  const CollectReport report = cache->collect();
  BOOST_TEST(report.bytes <= each * 5);
  BOOST_TEST(report.entries > 0u);
  BOOST_TEST(!fs::exists(litter));
  // A use replaces a stamp from the future; entries written under any clock are hits.
  std::string why;
  for (const CacheEntry& left : cache->entries()) {
    const ArtifactPtr artifact = cache->read(left, why);
    BOOST_REQUIRE(artifact);
    BOOST_TEST((cache->get(left.key, artifact->request, why) != nullptr), why);
  }
}

BOOST_AUTO_TEST_CASE(versions_live_side_by_side) {
  const test::TempDir dir;
  Options options;
  options.cache.named = dir / "cache";
  fs::create_directories(dir / "cache/v0/obj/ab");
  fs::create_directories(dir / "cache/v2/obj/ab");
  chmod((dir / "cache").c_str(), 0700);
  std::ofstream(dir / "cache/v0/obj/ab/x.art") << "of another time";
  std::ofstream(dir / "cache/v2/obj/ab/x.art") << "of another time";
  const std::string other = std::string(kText) + "// changed\n";
  BOOST_TEST(name_of(start(options)->prepare({count_by(2)})[0].origin) == "compiled");
  BOOST_TEST(name_of(start(options, other)->prepare({count_by(2)})[0].origin) == "compiled");
  // Neither evicts the other.
  for (int round = 0; round < 2; ++round) {
    BOOST_TEST(name_of(start(options)->prepare({count_by(2)})[0].origin) == "disk cache");
    BOOST_TEST(name_of(start(options, other)->prepare({count_by(2)})[0].origin) == "disk cache");
  }
  (void)open_cache({.root = dir / "cache", .max_bytes = 1, .min_age = std::chrono::seconds(0)})
      ->collect();
  BOOST_TEST(fs::exists(dir / "cache/v0/obj/ab/x.art"));
  BOOST_TEST(fs::exists(dir / "cache/v2/obj/ab/x.art"));
}

BOOST_AUTO_TEST_CASE(without_a_home_and_without_a_place_there_is_memory) {
  const test::TempDir dir;
  const test::Warnings warnings;
  std::ofstream(dir / "file") << "x";
  Options options;
  options.cache = {
      .named = std::nullopt, .xdg_cache_home = "", .home = "", .temporary = dir / "file"};
  const auto runtime = start(options);
  BOOST_TEST(runtime->prepare({count_by(2), count_by(3)})[1].ok());
  BOOST_TEST(launches(*runtime, 3));
  BOOST_TEST(warnings.count() == 1);
  BOOST_TEST(warnings.last_has("memory only"), warnings.texts.back());
}

BOOST_AUTO_TEST_CASE(no_compiler_is_said_once) {
  const test::Warnings warnings;
  Options options;
  options.search_path = "";
  const auto runtime = start(options);
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(!runtime->prepare_or_warn(count_by(i), "a composition of small ops runs"));
  BOOST_TEST(warnings.count() == 1);
  for (const char* part :
       {"install g++ or clang++", "count: a composition of small ops runs instead"})
    BOOST_TEST(warnings.last_has(part), warnings.texts.back());
  BOOST_TEST(runtime->has(KernelSpec("gemm", {DType::kF32, DType::kF32})));  // built in
}

BOOST_AUTO_TEST_CASE(a_national_locale_does_not_reach_kernel_texts) {
  const test::TempDir dir;
  Options options;
  options.cache.named = dir / "cache";
  const test::NationalLocale locale;
  const auto runtime = start(options);
  const Prepared made = runtime->prepare({count_by(65536)})[0];
  BOOST_REQUIRE_MESSAGE(made.ok(), made.error);
  BOOST_TEST(launches(*runtime, 65536));
}

BOOST_AUTO_TEST_CASE(a_home_that_may_only_be_read_is_passed_over) {
  const test::TempDir dir;
  chmod(dir.path().c_str(), 0755);
  BOOST_TEST(in_child([&] {
    if (geteuid() == 0 && (chown(dir.path().c_str(), 65534, 65534) != 0 || setuid(65534) != 0))
      return false;  // root can write anywhere
    fs::create_directories(dir / "home/.cache/eflow");
    fs::create_directory(dir / "tmp");
    for (const char* folder : {"home/.cache/eflow", "home/.cache", "home"})
      chmod((dir / folder).c_str(), 0500);
    const CacheRoot root = choose_cache_root({.named = std::nullopt,
                                              .xdg_cache_home = "",
                                              .home = dir / "home",
                                              .temporary = dir / "tmp"});
    for (const char* folder : {"home", "home/.cache", "home/.cache/eflow"})
      chmod((dir / folder).c_str(), 0700);
    return root.path.parent_path() == dir / "tmp" &&
           root.warning.find("Permission denied") != std::string::npos;
  }));
}

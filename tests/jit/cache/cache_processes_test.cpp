// Sixteen processes request the same kernels from one new cache, in different orders; some are
// killed meanwhile.
#define BOOST_TEST_MODULE cache_processes
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <random>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/tests/support/jit/fake_compiler.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

constexpr int kProcesses = 16, kKilled = 6, kKernels = 8;

/// A slow compiler that logs each run and returns the program as its image.
Options options_for(const test::TempDir& dir) {
  Options o;
  o.cache.named = dir / "cache";
  o.cxx = dir / "cxx";
  return o;
}

KernelRef kernel(int i) {
  return {"k", KernelSpec("k", {DType::kF32}, {i})};
}

/// Requests all kernels in a process-specific order. Returns 0 if each artifact matches its
/// request.
int work(const Options& options, unsigned seed) {
  KernelBuilder builder(options);
  builder.texts().add("acme/k.h", "// a text\n");
  builder.definitions().add({"k", "acme/k.h", "k<$c0>"});
  std::vector<int> order(kKernels);
  for (int i = 0; i < kKernels; ++i) order[static_cast<std::size_t>(i)] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  for (const int i : order) {
    const BuildRequest request = builder.request(kernel(i), {Backend::kHost, "baseline"});
    const Built built = builder.build(request, {});
    if (built.artifact->image != request.program ||
        built.artifact->request != request.canonical_bytes())
      return 2;
  }
  return 0;
}

pid_t start(const Options& options, unsigned seed) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  int code = 1;
  try {
    code = work(options, seed);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
  _exit(code);
}

}  // namespace

BOOST_AUTO_TEST_CASE(killed_processes_harm_nobody) {
  const test::TempDir dir;
  test::fake_compiler(dir / "cxx",
                      "echo run >> " + (dir / "runs").string() +
                          "\nsleep 0.1\nhead -c 100 kernel.cpp > kernel.so\nsleep 0.1\n"
                          "cat kernel.cpp > kernel.so\n");
  const Options options = options_for(dir);
  std::vector<pid_t> pids;
  for (unsigned p = 0; p < kProcesses; ++p) pids.push_back(start(options, p));
  std::mt19937 random(7);
  for (int k = 0; k < kKilled; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 50));
    kill(pids[static_cast<std::size_t>(k)], SIGKILL);
  }
  int sound = 0, killed = 0;
  for (const pid_t pid : pids) {
    int status = 0;
    BOOST_REQUIRE(waitpid(pid, &status, 0) == pid);
    sound += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    killed += WIFSIGNALED(status);
  }
  BOOST_TEST(sound + killed == kProcesses);
  BOOST_TEST(sound >= kProcesses - kKilled);

  // Each kernel was compiled once, except those whose compiling process was killed.
  std::ifstream runs(dir / "runs");
  const auto count = std::count(std::istreambuf_iterator<char>(runs), {}, '\n');
  BOOST_TEST(count >= kKernels);
  BOOST_TEST(count <= kKernels + kKilled);

  std::string why;
  const auto cache =
      DiskCache::open({.root = dir / "cache", .temporary_age = std::chrono::seconds(-1)}, why);
  BOOST_REQUIRE_MESSAGE(cache, why);
  BOOST_TEST(cache->entries().size() == static_cast<std::size_t>(kKernels));
  for (const CacheEntry& entry : cache->entries())
    BOOST_TEST((cache->read(entry, why) != nullptr), why);
  BOOST_TEST(std::filesystem::is_empty(dir / "cache/v1/quarantine"));
  (void)cache->collect();
  for (const auto& file : std::filesystem::recursive_directory_iterator(dir / "cache")) {
    BOOST_TEST(!file.path().filename().string().starts_with(".tmp."), file.path());
  }

  // A later process compiles nothing.
  Options forbid = options;
  forbid.mode = JitMode::kForbid;
  BOOST_TEST(work(forbid, 99) == 0);
}

// What stops a reader of checkpoints and what it passes over: damage is skipped, a failing system
// call is reported, and a checkpoint that another process prunes is replaced by the next one.
#define BOOST_TEST_MODULE checkpoint_faults
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/io/io_support.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Checkpoint;
using eflow::io::CheckpointStore;
using eflow::io::NamedBytes;

namespace {

std::atomic<int> g_read_errno{0};

using Pread = ssize_t (*)(int, void*, size_t, off_t);

ssize_t read_or_fail(const char* name, int file, void* to, size_t bytes, off_t at) {
  static const auto real = reinterpret_cast<Pread>(::dlsym(RTLD_NEXT, name));
  if (g_read_errno == 0) return real(file, to, bytes, at);
  errno = g_read_errno;
  return -1;
}

/// Every read at an offset fails with this errno, for the lifetime of the object.
struct FailingReads {
  explicit FailingReads(int code) { g_read_errno = code; }
  ~FailingReads() { g_read_errno = 0; }
};

/// A limit on a resource of this process, for the lifetime of the object.
class Limit {
 public:
  Limit(decltype(RLIMIT_AS) what, rlim_t value) : what_(what) {
    ::getrlimit(what_, &before_);
    const rlimit limit{value, before_.rlim_max};
    ::setrlimit(what_, &limit);
  }
  ~Limit() { ::setrlimit(what_, &before_); }

 private:
  decltype(RLIMIT_AS) what_;
  rlimit before_{};
};

void save(CheckpointStore& store, std::int64_t step, std::size_t bytes = 64) {
  const Bytes content(bytes, static_cast<std::byte>(step));
  const NamedBytes array{"ema/w", DType::kU8, {static_cast<std::int64_t>(bytes)}, content};
  store.save(step, std::span(&array, 1), "{}");
}

}  // namespace

// They take the place of the C library's.
extern "C" ssize_t pread(int file, void* to, size_t bytes, off_t at) {
  return read_or_fail("pread", file, to, bytes, at);
}
extern "C" ssize_t pread64(int file, void* to, size_t bytes, off_t at) {
  return read_or_fail("pread64", file, to, bytes, at);
}

BOOST_AUTO_TEST_CASE(a_failing_read_is_not_damage) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  save(store, 2);
  const Warnings warnings;
  {
    const FailingReads fail(EIO);
    const std::string text = text_of<IoError>([&] { static_cast<void>(store.latest_good()); });
    BOOST_TEST(has(text, "Input/output error"), text);
    BOOST_TEST(has(text, store.path_of(2).string()), text);
  }
  BOOST_TEST(warnings.texts.empty());
  BOOST_TEST(store.latest_good()->step() == 2);
}

BOOST_AUTO_TEST_CASE(a_lack_of_descriptors_is_not_damage) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  const Warnings warnings;
  for (int free = 0; free < 3; ++free) {
    std::vector<FileDescriptor> held;
    const Limit limit(RLIMIT_NOFILE, 40);
    while (true) {
      FileDescriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!file.valid()) break;
      held.push_back(std::move(file));
    }
    for (int i = 0; i < free; ++i) held.pop_back();
    const std::string text = text_of<IoError>([&] { static_cast<void>(store.latest_good()); });
    held.clear();
    BOOST_TEST(has(text, "Too many open files"), "free " << free << ": " << text);
  }
  BOOST_TEST(warnings.texts.empty());
  BOOST_TEST(store.latest_good()->step() == 1);
}

/// Stands for every error that has an errno: permissions (which a test run as root would not see),
/// a stale handle, a device that is gone.
BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_not_damage) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  save(store, 2);
  const Warnings warnings;
  for (const char* name : {"manifest.json", "state.h5"}) {
    const fs::path path = store.path_of(2) / name, away = dir / "away";
    fs::rename(path, away);
    fs::create_symlink(name, path);  // a link to itself
    BOOST_TEST(has(text_of<IoError>([&] { static_cast<void>(store.latest_good()); }),
                   "Too many levels of symbolic links"));
    fs::remove(path);
    fs::rename(away, path);
  }
  fs::rename(dir / "c", dir / "away");
  fs::create_symlink("c", dir / "c");
  BOOST_CHECK_THROW(static_cast<void>(store.list()), IoError);
  BOOST_TEST(warnings.texts.empty());
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_a_newer_version_is_not_damage) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  save(store, 2);
  const fs::path path = store.path_of(2) / "manifest.json";
  std::string text = slurp(path);
  text.replace(text.find("\"version\": 1"), 12, "\"version\": 9");
  spill(path, text);  // the checksum does not match: damage
  const Warnings warnings;
  BOOST_TEST(store.latest_good()->step() == 1);
  BOOST_TEST(warnings.count_with("checksum") == 1);
}

BOOST_AUTO_TEST_CASE(missing_files_are_passed_over) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  for (const std::int64_t step : {1, 2, 3}) save(store, step);
  fs::remove(store.path_of(3) / "state.h5");
  fs::remove_all(store.path_of(2));
  fs::create_directory(store.path_of(2));
  const Warnings warnings;
  BOOST_TEST(store.latest_good()->step() == 1);
  BOOST_TEST(warnings.count_with("it has no") == 2);
  BOOST_CHECK_THROW(Checkpoint(dir / "nowhere"), io::MissingCheckpoint);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
BOOST_AUTO_TEST_CASE(a_lack_of_memory_names_the_file) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1, 64 << 20);
  const Checkpoint checkpoint(store.path_of(1));
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  std::string text;
  {
    const Limit limit(RLIMIT_AS, pages * 4096 + (32 << 20));
    text = text_of<DeviceError>([&] { static_cast<void>(checkpoint.load()); });
  }
  BOOST_TEST(has(text, (store.path_of(1) / "state.h5").string()), text);
  BOOST_TEST(has(text, "67108864 bytes"), text);
}
#endif

BOOST_AUTO_TEST_CASE(an_open_checkpoint_outlives_its_folder) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  const Checkpoint checkpoint(store.path_of(1));
  fs::remove_all(store.path_of(1));
  checkpoint.verify();
  BOOST_TEST(checkpoint.load("ema/").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_reader_survives_pruning) {
  const TempDir dir;
  CheckpointStore store(dir / "c", {.keep_last = 1});
  save(store, 1);
  const pid_t child = ::fork();
  if (child == 0) {
    CheckpointStore writer(dir / "c", {.keep_last = 1});
    for (std::int64_t step = 2;; ++step) save(writer, step);
  }
  const Warnings warnings;
  std::int64_t last = 0;
  int missing = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    const auto checkpoint = store.latest_good();
    missing += !checkpoint || checkpoint->load().size() != 1 || checkpoint->step() < last;
    if (checkpoint) last = checkpoint->step();
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(missing == 0);
  BOOST_TEST(warnings.texts.empty());
  BOOST_TEST(last > 1);
}

BOOST_AUTO_TEST_CASE(the_digest_follows_the_arrays) {
  const TempDir dir;
  CheckpointStore store(dir / "c");
  save(store, 1);
  const std::string first = Checkpoint(store.path_of(1)).digest("ema/");
  BOOST_TEST(first.size() == 32u);
  BOOST_TEST(Checkpoint(store.path_of(1)).digest("model/") != first);
  save(store, 2);
  BOOST_TEST(Checkpoint(store.path_of(2)).digest("ema/") != first);
}

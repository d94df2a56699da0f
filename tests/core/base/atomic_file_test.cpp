#define BOOST_TEST_MODULE atomic_file
#include "eflow/core/base/atomic_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <functional>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"

namespace {
int flock_error = 0;  ///< if not 0, flock() fails with it, as on a file system without locks
std::function<void()> before_flock;  ///< called once, before the next flock()
}  // namespace

/// Takes the place of the C library's.
extern "C" int failing_flock(int fd, int operation) __asm__("flock");
extern "C" int failing_flock(int fd, int operation) {
  if (const auto once = std::exchange(before_flock, nullptr)) once();
  if (flock_error != 0) return errno = flock_error, -1;
  return static_cast<int>(syscall(SYS_flock, fd, operation));
}

namespace eflow {
namespace {

namespace fs = std::filesystem;

std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

BOOST_AUTO_TEST_CASE(replaces_the_whole_content) {
  const test::TempDir dir;
  write_file_atomically(dir / "a", "first version");
  write_file_atomically(dir / "a", "second");
  BOOST_TEST(read_file(dir / "a") == "second");
  BOOST_TEST(files_in(dir.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(a_failed_write_leaves_the_old_content_and_no_temporary) {
  const test::TempDir dir;
  write_file_atomically(dir / "a", "old");
  const pid_t child = fork();
  if (child == 0) {
    // In a child process with a file size limit of 4 KiB, which acts like a full disk.
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file_atomically(dir / "a", std::string(100000, 'x'));
    } catch (const IoError& e) {
      _exit(std::string(e.what()).find((dir / "a").string()) != std::string::npos ? 42 : 43);
    }
    _exit(44);
  }
  int status = 0;
  waitpid(child, &status, 0);
  BOOST_TEST(WEXITSTATUS(status) == 42);
  BOOST_TEST(read_file(dir / "a") == "old");
  BOOST_TEST(files_in(dir.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(kill_during_writes_leaves_one_whole_version) {
  const test::TempDir dir;
  const std::string a(1 << 20, 'a'), b(1 << 20, 'b');
  write_file_atomically(dir / "f", a);
  for (int trial = 0; trial < 20; ++trial) {
    const pid_t child = fork();
    if (child == 0) {
      for (;;) {
        write_file_atomically(dir / "f", b);
        write_file_atomically(dir / "f", a);
      }
    }
    usleep(static_cast<useconds_t>(1000 + 700 * trial));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::string found = read_file(dir / "f");
    BOOST_TEST((found == a || found == b));
  }
}

BOOST_AUTO_TEST_CASE(errors_name_path_and_reason) {
  const test::TempDir dir;
  BOOST_CHECK_EXCEPTION((void)read_file(dir / "missing"), IoError, [](const IoError& e) {
    return std::string(e.what()).find("missing: No such file") != std::string::npos;
  });
  write_file_atomically(dir / "short", "abc");
  std::byte bytes[8];
  BOOST_CHECK_EXCEPTION(read_at(open_read(dir / "short"), dir / "short", 1, bytes), CorruptData,
                        [](const CorruptData& e) {
                          return std::string(e.what()).find("ends at byte 3") != std::string::npos;
                        });
  BOOST_CHECK_THROW((void)read_file(dir.path()), IoError);
  BOOST_CHECK_THROW(require_free_space(dir.path(), std::uint64_t{1} << 60), NoSpaceError);
}

BOOST_AUTO_TEST_CASE(a_lock_is_held_once_and_names_its_holder) {
  const test::TempDir dir;
  {
    const FileLock lock(dir / "lock");
    BOOST_CHECK_EXCEPTION(FileLock(dir / "lock"), IoError, [](const IoError& e) {
      return std::string(e.what()).find(str("process ", getpid())) != std::string::npos;
    });
  }
  const FileLock again(dir / "lock");
}

/// Its holder removes the file between another process's open and its flock; a third one makes it anew.
BOOST_AUTO_TEST_CASE(a_lock_on_a_removed_file_is_not_acquired) {
  const test::TempDir dir;
  before_flock = [&] {
    fs::remove(dir / "lock");
    write_file_atomically(dir / "lock", "");
  };
  const FileLock lock(dir / "lock");
  BOOST_CHECK_THROW(FileLock(dir / "lock"), IoError);
}

BOOST_AUTO_TEST_CASE(a_file_system_without_locks_costs_one_warning) {
  for (const int error : {ENOSYS, ENOLCK, EOPNOTSUPP}) {
    const test::TempDir dir;
    const test::Warnings warnings;
    flock_error = error;
    const FileLock lock(dir / "lock");
    write_file_atomically(dir / "a", "content");
    flock_error = 0;
    BOOST_TEST(read_file(dir / "a") == "content");
    BOOST_TEST(warnings.count() == 1);
    BOOST_TEST(warnings.last_has("cannot be locked"), warnings.texts.back());
  }
  const test::TempDir dir;
  flock_error = EIO;  // not a missing feature
  BOOST_CHECK_THROW(FileLock(dir / "lock"), IoError);
  flock_error = 0;
}

BOOST_AUTO_TEST_CASE(names_of_another_process_with_the_same_id_do_not_block) {
  const test::TempDir dir;
  std::vector<FileDescriptor> held;
  for (int n = 0; n < 100; ++n) {
    held.emplace_back(::open((dir / str("a.tmp-", getpid(), "-", n)).c_str(),
                             O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    BOOST_REQUIRE((try_lock(held.back(), "a") == LockState::kHeld));
  }
  write_file_atomically(dir / "a", "content");
  BOOST_TEST(read_file(dir / "a") == "content");
  BOOST_TEST(files_in(dir.path()) == 101u);  // those in use stay
}

BOOST_AUTO_TEST_CASE(leftovers_of_killed_writers_are_removed) {
  const test::TempDir dir;
  for (const char* name : {"a.tmp-1-0", "a.tmp-77-12", "a.tmp-1", "a.tmp-1-x", "b.tmp-1-0"})
    std::ofstream(dir / name) << "x";
  write_file_atomically(dir / "a", "content");
  BOOST_TEST(!fs::exists(dir / "a.tmp-1-0"));
  BOOST_TEST(!fs::exists(dir / "a.tmp-77-12"));
  BOOST_TEST(files_in(dir.path()) == 4u);  // a, and three names that are not of a's temporaries
  // Without locks, age decides.
  std::ofstream(dir / "a.tmp-1-0") << "x";
  std::ofstream(dir / "a.tmp-1-1") << "x";
  const timespec old[2] = {{1, 0}, {1, 0}};
  BOOST_REQUIRE(utimensat(AT_FDCWD, (dir / "a.tmp-1-1").c_str(), old, 0) == 0);
  flock_error = ENOSYS;
  write_file_atomically(dir / "a", "content");
  flock_error = 0;
  BOOST_TEST(fs::exists(dir / "a.tmp-1-0"));
  BOOST_TEST(!fs::exists(dir / "a.tmp-1-1"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_refused_at_once) {
  const test::TempDir dir;
  BOOST_REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
  for (const fs::path& path : {fs::path(dir / "fifo"), fs::path("/dev/zero")}) {
    BOOST_CHECK_EXCEPTION((void)open_read(path), IoError, [](const IoError& e) {
      return std::string(e.what()).find("not a regular file") != std::string::npos;
    });
    BOOST_CHECK_THROW((void)read_file(path), IoError);
  }
}

}  // namespace
}  // namespace eflow

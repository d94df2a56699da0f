#define BOOST_TEST_MODULE atomic_file
#include "eflow/core/base/atomic_file.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/temp_dir.hpp"

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

}  // namespace
}  // namespace eflow

#pragma once
// Simulated full disks: a small tmpfs, where the test may mount one, and a limit on file sizes,
// which works everywhere.

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>

#include "eflow/tests/support/temp_dir.hpp"

namespace eflow::test {

/// Runs `body` with a directory on a file system of `bytes`; skips it with a message if mounting
/// fails.
inline void expect_no_space(const TempDir& dir, std::size_t bytes,
                            const std::function<void(const std::filesystem::path&)>& body) {
  const std::filesystem::path disk = dir / "disk";
  std::filesystem::create_directory(disk);
  const std::string options = "size=" + std::to_string(bytes);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    BOOST_TEST_MESSAGE("skipped the small disk: mounting a tmpfs needs root");
    return;
  }
  try {
    body(disk);
  } catch (...) {
    ::umount2(disk.c_str(), MNT_DETACH);
    throw;
  }
  ::umount2(disk.c_str(), MNT_DETACH);
}

/// Runs `body` while no file may exceed `bytes`; larger writes fail with EFBIG.
inline void with_file_size_limit(rlim_t bytes, const std::function<void()>& body) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{bytes, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  try {
    body();
  } catch (...) {
    ::setrlimit(RLIMIT_FSIZE, &before);
    throw;
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
}

}  // namespace eflow::test

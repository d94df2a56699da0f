#include "eflow/jit/cache/file_publish.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

/// Names tried for a temporary.
constexpr int kNames = 100;

/// Unique among processes on this machine and on others that share the directory.
std::string temporary_name() {
  static std::atomic<std::uint64_t> count{0};
  char host[65] = {};
  gethostname(host, sizeof host - 1);
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return str(kTemporaryPrefix, host, '.', getpid(), '.', to_hex(hash64(str(now, '.', count++))));
}

}  // namespace

void publish(const fs::path& path, std::string_view content) {
  fs::path temporary;
  FileDescriptor file;
  for (int tries = 0; tries < kNames && !file.valid(); ++tries) {
    temporary = path.parent_path() / temporary_name();
    file = FileDescriptor(
        open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid() && errno != EEXIST) break;
  }
  if (!file.valid()) throw_errno("cannot write", temporary.string());
  try {
    write_all(file, temporary, std::as_bytes(std::span(content)));
    file.close(temporary.string());
    if (std::rename(temporary.c_str(), path.c_str()) != 0)
      throw_errno("cannot publish", path.string());
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

}  // namespace eflow::jit

#pragma once
// What a fuzz target is made of. A target defines the three functions below; it is built twice:
// with replay_main.cpp as a test that runs its seeds and a few thousand mutations of them with any
// compiler, and, in the preset fuzz, with libfuzzer_main.cpp for campaigns (scripts/fuzz.sh).
//
// A reader may refuse an input with an eflow::Error. Any other exception, crash, sanitizer report
// or hang is a fault.

#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/error.hpp"

namespace eflow::fuzz {

/// Valid inputs to begin with.
std::vector<std::string> seeds();
/// Reads one input as the program would.
void run(std::string_view input);

/// run(), of which an eflow::Error is no fault.
inline void read_or_refuse(std::string_view input) {
  try {
    run(input);
  } catch (const Error&) {  // refused: that is what untrusted input should get
  }
}

/// A regular file in memory with this content.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0 ||
        ::write(fd_, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      throw std::runtime_error("no file in memory");
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::filesystem::path path() const {
    return "/proc/self/fd/" + std::to_string(fd_);
  }

 private:
  int fd_;
};

/// A folder that is removed with its content.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = "/dev/shm/eflow-fuzz-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("no folder in memory");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace eflow::fuzz

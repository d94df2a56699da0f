#pragma once
// Runs one program to its end: no shell, no inherited descriptors, output captured, killed with all its children when
// time is up or the caller stops it.

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace eflow::jit {

struct Process {
  std::vector<std::string> argv;         ///< argv[0] is the program's path; PATH is not searched
  std::vector<std::string> environment;  ///< "NAME=value", all of it
  std::filesystem::path directory;       ///< to run in; empty: the caller's
  std::chrono::milliseconds timeout{120'000};
  std::stop_token stop;
  std::size_t max_output = 256 * 1024;  ///< bytes of output kept; the rest is read and counted
};

struct ProcessResult {
  int exit_code = -1;  ///< 128 + signal when one ended it
  bool timed_out = false;
  bool stopped = false;
  std::string output;  ///< stdout and stderr as they came
  double seconds = 0;
  [[nodiscard]] bool ok() const { return exit_code == 0 && !timed_out && !stopped; }
};

/// Throws IoError when the program cannot be started.
[[nodiscard]] ProcessResult run_process(const Process& process);

/// A fresh directory, 0700, below `parent`, removed with all it holds on destruction.
class ScratchDirectory {
 public:
  /// Throws IoError.
  explicit ScratchDirectory(const std::filesystem::path& parent);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace eflow::jit

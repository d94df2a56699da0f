#pragma once
// Runs a program without a shell or inherited descriptors, captures its output, and kills it with
// all its children on a time-out or on request.

#include <chrono>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// The program to run and its limits.
struct Process {
  std::vector<std::string> argv = {};  ///< argv[0] is the program's path; PATH is not searched
  std::vector<std::string> environment = {};  ///< the complete environment, "NAME=value"
  std::filesystem::path directory = {};       ///< working directory; empty: the caller's
  std::chrono::milliseconds timeout{120'000};
  std::stop_token stop = {};
  std::function<bool()> cancelled = {};  ///< as `stop`, but polled, on the calling thread
  /// Bytes of output to keep; the rest is discarded and counted.
  std::size_t max_output = 256 * 1024;
};

struct ProcessResult {
  int exit_code = -1;  ///< 128 + signal if killed by one
  bool timed_out = false;
  bool stopped = false;
  std::string output = "";  ///< stdout and stderr, interleaved
  double seconds = 0;
  [[nodiscard]] bool ok() const { return exit_code == 0 && !timed_out && !stopped; }
};

/// Thrown if a program cannot be started now, although it may be later: no process, memory or file
/// descriptor was free, in several attempts.
struct NothingFree : IoError {
  using IoError::IoError;
};

/// Runs the program to completion. Throws IoError if it cannot be started, NothingFree if that may
/// pass.
[[nodiscard]] ProcessResult run_process(const Process& process);

/// A new directory (mode 0700) below `parent`, removed with its contents on destruction. A file in it
/// is locked meanwhile, so that others can tell the directories of killed processes.
class ScratchDirectory {
 public:
  /// Also removes the scratch directories that killed processes of this user left below `parent`.
  /// Throws IoError.
  explicit ScratchDirectory(const std::filesystem::path& parent);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  FileDescriptor lock_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

#pragma once
// When a step did what, for chrome://tracing or Perfetto: kernels one by one, and named ranges around them. A device that is
// traced waits for each kernel, so that its time is its own: a trace shows where the time goes, not how kernels overlap.

#include <filesystem>
#include <string>
#include <vector>

#include "eflow/base/stopwatch.hpp"

namespace eflow {

/// Threads: one at a time.
class Trace {
 public:
  /// A range that others may lie in.
  void begin(std::string name) { open_.push_back({std::move(name), now(), 0, kRanges}); }
  void end();
  /// A kernel that ran from `begin`, in seconds of now(), until now.
  void kernel(std::string name, double begin) {
    spans_.push_back({std::move(name), begin, now() - begin, kKernels});
  }
  /// Seconds since the trace was made.
  [[nodiscard]] double now() const { return watch_.seconds(); }
  [[nodiscard]] std::size_t size() const { return spans_.size(); }

  /// The trace event format, which the viewers read. Throws IoError.
  void write(const std::filesystem::path& path) const;

 private:
  static constexpr int kRanges = 1, kKernels = 2;
  struct Span {
    std::string name;
    double begin, seconds;
    int row;
  };

  Stopwatch watch_;
  std::vector<Span> open_, spans_;
};

}  // namespace eflow

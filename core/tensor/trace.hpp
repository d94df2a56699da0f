#pragma once
// A timeline of a training step for chrome://tracing or Perfetto: individual kernels, and named
// ranges around them. A traced device waits for each kernel, so kernel times are exact but overlap
// is not shown.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/stopwatch.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Collects spans in memory. Attach it with Device::set_trace. Threads: one at a time.
class Trace {
 public:
  /// Opens a range. Ranges nest.
  void begin(std::string name) { open_.push_back({std::move(name), now(), 0, kRanges}); }
  /// Closes the innermost open range.
  void end();
  /// Adds a kernel that ran from `begin`, a value of now(), until now.
  void kernel(std::string name, double begin) {
    spans_.push_back({std::move(name), begin, now() - begin, kKernels});
  }
  /// Returns the seconds since construction.
  [[nodiscard]] double now() const { return watch_.seconds(); }
  /// Number of kernels and closed ranges.
  [[nodiscard]] std::size_t size() const { return spans_.size(); }
  /// Returns the names of the kernels, in the order in which they ran.
  [[nodiscard]] std::vector<std::string> kernel_names() const;
  /// Returns how often each kernel ran, by name.
  [[nodiscard]] std::map<std::string, std::int64_t> kernel_counts() const;

  /// Writes the kernels and closed ranges in the Trace Event Format (JSON). Throws IoError.
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

EFLOW_EXPORT_END

#pragma once
// CallLog: the last collectives of a rank, kept for the report that a failure writes.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/call.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// A ring of the last kKept calls. Threads: one at a time.
class CallLog {
 public:
  static constexpr std::size_t kKept = 1024;

  /// Notes the start of call number `sequence`; numbers must be consecutive, from 0.
  void begin(std::uint64_t sequence, const Call& call, std::size_t sent, std::size_t received);
  /// Notes its end.
  void end(std::uint64_t sequence);
  /// Seconds that the finished calls took, from start to end.
  [[nodiscard]] double seconds() const { return seconds_; }
  /// Bytes that all calls so far send and receive.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// One line for each kept call, oldest first:
  /// "#17 'gradients' of step 4: 4096 bytes out, 4096 in, at 1.204 s, took 0.003 s".
  [[nodiscard]] std::string text() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Call call;
    std::size_t sent = 0, received = 0;
    Clock::time_point begin = {}, end = {};
    bool finished = false;
  };
  std::array<Entry, kKept> ring_ = {};
  std::uint64_t count_ = 0;
  double seconds_ = 0;
  std::size_t bytes_ = 0;
  Clock::time_point start_ = Clock::now();
};

}  // namespace eflow::comm

EFLOW_EXPORT_END

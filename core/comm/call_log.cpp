#include "eflow/core/comm/call_log.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/number_text.hpp"

namespace eflow::comm {
namespace {

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

void CallLog::begin(std::uint64_t sequence, const Call& call, std::size_t sent,
                    std::size_t received) {
  EFLOW_ASSERT(sequence == count_);
  ring_[count_++ % kKept] = {call, sent, received, Clock::now(), {}, false};
  bytes_ += sent + received;
}

void CallLog::end(std::uint64_t sequence) {
  if (sequence + kKept < count_) return;  // overwritten
  Entry& entry = ring_[sequence % kKept];
  entry.end = Clock::now();
  entry.finished = true;
  seconds_ += seconds_between(entry.begin, entry.end);
}

std::string CallLog::text() const {
  std::string lines;
  for (std::uint64_t n = count_ - std::min<std::uint64_t>(count_, kKept); n < count_; ++n) {
    const Entry& entry = ring_[n % kKept];
    lines += str("#", n, " '", entry.call.what, "' of step ", entry.call.step, ": ", entry.sent,
                 " bytes out, ", entry.received, " in, at ",
                 fixed_text(seconds_between(start_, entry.begin), 3), " s, ");
    lines += entry.finished
                 ? str("took ", fixed_text(seconds_between(entry.begin, entry.end), 3), " s\n")
                 : std::string("not finished\n");
  }
  return lines;
}

}  // namespace eflow::comm

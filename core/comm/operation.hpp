#pragma once
// What the files of Communicator share: the header of each message, and an operation on its way.
// Internal to core/comm.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/comm/communicator.hpp"

namespace eflow::comm {

inline constexpr int kHeaderTag = 0;
/// At the deadline, part of it, and at most this long, in which ranks that wait themselves can
/// answer. Those that stay silent are the ones to name.
inline constexpr double kAnswerShare = 0.2, kLongestAnswer = 5;

/// Copies as much of the text as fits, with a final zero.
template <std::size_t n>
void put(const std::string& text, char (&field)[n]) {
  std::strncpy(field, text.c_str(), n - 1);
}

/// "'weights' of step 4"
inline std::string quoted(const char* what, std::int64_t step) {
  return step > 0 ? str("'", what, "' of step ", step) : str("'", what, "'");
}

/// Sent before the bytes of each message.
struct Communicator::Header {
  enum Kind : std::int64_t { kCall, kFailure };
  std::int64_t kind = kCall;
  std::uint64_t sequence = 0;
  std::int64_t step = 0;
  std::uint64_t bytes = 0;
  char what[64] = {};
  char reason[512] = {};  ///< of a failure
};

struct Pending::State {
  struct Arrival {
    Incoming message;
    Communicator::Header header;
    std::unique_ptr<Request> request;  ///< of the header, then of the bytes
    enum { kHeader, kBytes, kDone } stage = kHeader;
  };
  std::uint64_t sequence = 0;
  Call call;
  std::vector<Communicator::Header> headers;
  struct Departure {
    int to;
    std::unique_ptr<Request> request;
  };
  std::vector<Departure> sends;
  std::vector<Arrival> arrivals;
  std::unique_ptr<DeviceExchange> device;  ///< carries the bytes, unless the channel does
  std::shared_ptr<const void> memory;      ///< of the messages, if it was given to this operation
  bool complete = false;

  /// Whether ranks that have not joined stay silent. The others are taken as arrived; `answer`
  /// becomes what the first of them says.
  bool hear(Communicator::Header* answer) {
    bool silent = false;
    for (Arrival& arrival : arrivals) {
      if (arrival.stage != Arrival::kHeader) continue;
      const bool spoke = arrival.request->done();
      silent = silent || !spoke;
      if (!spoke || arrival.header.kind != Communicator::Header::kFailure) continue;
      if (answer->kind != Communicator::Header::kFailure) *answer = arrival.header;
      arrival.stage = Arrival::kDone;
    }
    return silent;
  }
};

}  // namespace eflow::comm

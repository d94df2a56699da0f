#pragma once
// Channel: moves bytes between ranks. One file implements it for each engine (threads of one
// process, MPI); Communicator builds collectives, deadlines and checks on it.

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// A message on its way. Must not be destroyed before it is done, except when the process ends.
class Request {
 public:
  virtual ~Request() = default;
  /// Whether the message has left (its bytes may be reused) or arrived. Never blocks.
  [[nodiscard]] virtual bool done() = 0;
};

/// One rank's end of a network in which every rank can reach every other. No call blocks. Threads:
/// one at a time.
class Channel {
 public:
  virtual ~Channel() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// The number by which people know a rank: that among all ranks of the job.
  [[nodiscard]] virtual int number(int rank) const { return rank; }
  /// Where this rank runs, for messages: "node7, process 4711".
  [[nodiscard]] virtual std::string place() const = 0;
  /// Starts to send. The bytes must stay valid until the request is done. Messages to one rank with
  /// one tag arrive in the order in which they were sent; tags are 0 to 32767.
  [[nodiscard]] virtual std::unique_ptr<Request> send(int to, int tag,
                                                      std::span<const std::byte> bytes) = 0;
  /// Starts to receive a message of exactly this size.
  [[nodiscard]] virtual std::unique_ptr<Request> receive(int from, int tag,
                                                         std::span<std::byte> bytes) = 0;
  /// Waits a short time for news; `polls` counts the calls since the wait began.
  virtual void rest(int polls) = 0;
};

}  // namespace eflow::comm

EFLOW_EXPORT_END

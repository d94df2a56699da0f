#pragma once
// Runs a function in a child process with bounded memory and time, and reads the messages that it
// sends. Whatever happens in the child, a crash included, is an error here. Internal to io.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"

namespace eflow::io {

struct IsolationLimits {
  std::uint64_t memory_bytes = 3ull << 30;  ///< address space beyond what the process has already
  double seconds = 60;                      ///< between two messages
};

/// What the child uses to talk to its parent.
class Sender {
 public:
  explicit Sender(int fd) : fd_(fd) {}
  /// Sends one message. Ends the process if the parent is gone.
  void send(std::uint32_t kind, std::span<const std::byte> bytes);
  void send(std::uint32_t kind, const std::string& text);

 private:
  int fd_;
};

struct Message {
  std::uint32_t kind = 0;
  std::vector<std::byte> bytes{};
};

/// The kind of the message that an exception of the child becomes; its text follows.
inline constexpr std::uint32_t kFailedMessage = 0xffffffff;

class IsolatedProcess {
 public:
  /// Forks and runs f(sender) in the child, which then exits. An Error that f throws is sent. `what`
  /// names the work in messages. Throws IoError.
  IsolatedProcess(std::string what, const std::function<void(Sender&)>& f, IsolationLimits limits);
  ~IsolatedProcess();  ///< kills the child if it still runs
  IsolatedProcess(const IsolatedProcess&) = delete;
  IsolatedProcess& operator=(const IsolatedProcess&) = delete;

  /// Waits for the next message of at most `limit` bytes. Returns false when the child has ended
  /// well. Throws CorruptData if it crashed, exceeded a limit, sent too much or threw.
  bool receive(Message& message, std::uint64_t limit);

 private:
  void read_exactly(std::span<std::byte> bytes, bool& ended);
  [[noreturn]] void fail(const std::string& how);
  int reap();

  std::string what_;
  IsolationLimits limits_;
  FileDescriptor pipe_;
  pid_t child_ = -1;
};

}  // namespace eflow::io

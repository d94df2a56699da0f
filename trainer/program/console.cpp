#include "eflow/trainer/program/console.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "eflow/core/base/log.hpp"

namespace eflow::trainer {
namespace {

constexpr std::size_t kPart = 512;  // POSIX's least PIPE_BUF: a writable pipe takes it whole

/// 0 if `file` takes bytes within `milliseconds`, otherwise an errno. After an error or hang-up,
/// write() reports which one.
int wait_writable(int file, int milliseconds) {
  pollfd entry{file, POLLOUT, 0};
  const int ready = ::poll(&entry, 1, milliseconds);
  if (ready < 0) return errno;
  return ready == 0 ? EAGAIN : 0;
}

}  // namespace

int Console::try_write(std::string_view text) const {
  while (!text.empty()) {
    const int code = wait_writable(file_, failing_ ? 0 : 1000);
    if (code == EINTR) continue;
    if (code != 0) return code;
    const ssize_t n = ::write(file_, text.data(), std::min(text.size(), kPart));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

void Console::write(std::string_view text) {
  const int code = try_write(text);
  if (code == 0) {
    failing_ = false;
    return;
  }
  ++dropped_;
  if (failing_) return;
  failing_ = true;
  if (dropped_ > 1) return;  // one warning for a stream that comes and goes
  log_warning("cannot write to ", name_, ": ",
              code == EAGAIN ? "nobody reads it" : std::strerror(code),
              "; lines are dropped until it works again, everything else goes on");
}

std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\t' || (byte >= 0x20 && byte != 0x7f))
      result += c;
    else
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return result;
}

Console& Console::output() {
  static Console console(STDOUT_FILENO, "standard output");
  std::fflush(stdout);
  return console;
}

Console& Console::errors() {
  static Console console(STDERR_FILENO, "standard error");
  std::fflush(stderr);
  return console;
}

}  // namespace eflow::trainer

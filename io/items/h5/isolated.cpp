#include "eflow/io/items/h5/isolated.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>

#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

struct Head {
  std::uint32_t kind = 0, unused = 0;
  std::uint64_t bytes = 0;
};

/// Address space of this process, in bytes.
std::uint64_t address_space() {
  unsigned long long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%llu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void confine(const IsolationLimits& limits, std::uint64_t space) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlim_t most = space + limits.memory_bytes;
  const rlimit memory{most, most}, none{0, 0};
  ::setrlimit(RLIMIT_AS, &memory);
  ::setrlimit(RLIMIT_CORE, &none);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGINT, SIGTERM, SIGPIPE})
    ::signal(signal, SIG_DFL);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return;
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);  // libraries must not talk to the user
}

[[noreturn]] void run_child(int fd, const std::function<void(Sender&)>& f) {
  Sender sender(fd);
  try {
    f(sender);
  } catch (const std::bad_alloc&) {
    sender.send(kFailedMessage, "it needs more memory than allowed");
  } catch (const std::exception& error) {
    sender.send(kFailedMessage, error.what());
  }
  ::_exit(0);
}

}  // namespace

void Sender::send(std::uint32_t kind, std::span<const std::byte> bytes) {
  const Head head{kind, 0, bytes.size()};
  for (std::span<const std::byte> part : {std::as_bytes(std::span(&head, 1)), bytes}) {
    while (!part.empty()) {
      const ssize_t wrote = ::write(fd_, part.data(), part.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) ::_exit(1);
      part = part.subspan(static_cast<std::size_t>(wrote));
    }
  }
}

void Sender::send(std::uint32_t kind, const std::string& text) {
  send(kind, std::as_bytes(std::span(text)));
}

IsolatedProcess::IsolatedProcess(std::string what, const std::function<void(Sender&)>& f,
                                 IsolationLimits limits)
    : what_(std::move(what)), limits_(limits) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe", what_);
  pipe_ = FileDescriptor(ends[0]);
  FileDescriptor sending(ends[1]);
  const std::uint64_t space = address_space();
  std::fflush(nullptr);
  child_ = ::fork();
  if (child_ < 0) throw_errno("fork", what_);
  if (child_ == 0) {
    confine(limits_, space);
    run_child(sending.get(), f);
  }
}

IsolatedProcess::~IsolatedProcess() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  reap();
}

int IsolatedProcess::reap() {
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

void IsolatedProcess::fail(const std::string& how) {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    reap();
  }
  throw CorruptData(str(what_, ": ", how));
}

/// Reads all of `bytes`, or sets `ended` if the child closed the pipe before the first of them.
void IsolatedProcess::read_exactly(std::span<std::byte> bytes, bool& ended) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(limits_.seconds);
  for (std::size_t done = 0; done < bytes.size();) {
    const auto left = std::chrono::duration<double>(deadline - Clock::now()).count();
    pollfd wait{pipe_.get(), POLLIN, 0};
    const int ready = left > 0 ? ::poll(&wait, 1, static_cast<int>(left * 1000) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) fail(str("reading it takes more than ", limits_.seconds, " s; stopped"));
    const ssize_t got = ::read(pipe_.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int status = child_ > 0 ? reap() : 0;
      if (WIFSIGNALED(status))
        throw CorruptData(str(what_, ": reading it crashed (", ::strsignal(WTERMSIG(status)),
                              "), in a process of its own; the file is damaged or hostile"));
      if (done == 0 && WEXITSTATUS(status) == 0) {
        ended = true;
        return;
      }
      throw CorruptData(str(what_, ": the process that reads it ended early"));
    }
    done += static_cast<std::size_t>(got);
  }
}

bool IsolatedProcess::receive(Message& message, std::uint64_t limit) {
  Head head;
  bool ended = child_ <= 0;
  if (!ended) read_exactly(std::as_writable_bytes(std::span(&head, 1)), ended);
  if (ended) return false;
  if (head.bytes > std::max<std::uint64_t>(limit, 4096))
    fail(str("it yields ", head.bytes, " bytes at once; expected at most ", limit));
  message.kind = head.kind;
  message.bytes.resize(head.bytes);
  if (head.bytes > 0) read_exactly(message.bytes, ended);
  if (ended) fail("the process that reads it ended early");
  if (head.kind == kFailedMessage) {
    std::string text(reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size());
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';  // never a terminal's escapes
    fail(text);
  }
  return true;
}

}  // namespace eflow::io

#include "eflow/jit/host/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

using Clock = std::chrono::steady_clock;

/// The interval at which a running child is checked.
constexpr std::chrono::milliseconds kTick{20};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

/// Owns the two C objects that describe a spawn.
struct SpawnSetup {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

/// Starts the child in a process group of its own, with `out` as stdout and stderr.
pid_t start(const Process& p, int out) {
  SpawnSetup setup;
  posix_spawn_file_actions_addopen(&setup.actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&setup.actions, out, 1);
  posix_spawn_file_actions_adddup2(&setup.actions, out, 2);
  if (!p.directory.empty())
    posix_spawn_file_actions_addchdir_np(&setup.actions, p.directory.c_str());
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setpgroup(&setup.attributes, 0);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &all);
  posix_spawnattr_setflags(&setup.attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, p.argv[0].c_str(), &setup.actions, &setup.attributes,
                               pointers(p.argv).data(), pointers(p.environment).data());
  if (code != 0) {
    errno = code;
    throw_errno("cannot start", p.argv[0]);
  }
  return pid;
}

/// Reads the available output. Returns false at its end.
bool drain(int fd, std::size_t max, std::string& output, std::size_t& dropped) {
  char buffer[16384];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  const std::size_t kept = std::min(static_cast<std::size_t>(n), max - output.size());
  output.append(buffer, kept);
  dropped += static_cast<std::size_t>(n) - kept;
  return n > 0;
}

int exit_code_of(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : -1;
}

/// Whether the child has ended. If the host ignores SIGCHLD there is no status, which counts as
/// exit code 0.
bool ended(pid_t pid, int& exit_code) {
  int status = 0;
  const pid_t got = waitpid(pid, &status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return false;
  exit_code = got == pid ? exit_code_of(status) : 0;
  return true;
}

}  // namespace

ProcessResult run_process(const Process& p) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe for", p.argv[0]);
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const Clock::time_point begin = Clock::now();
  const pid_t pid = start(p, write_end.get());
  write_end = FileDescriptor();

  ProcessResult result;
  std::size_t dropped = 0;
  bool running = true, open = true, killed = false;
  while (true) {
    running = running && !ended(pid, result.exit_code);  // a second waitpid would fail
    if (!running && !open) break;
    const auto elapsed = Clock::now() - begin;
    result.timed_out = result.timed_out || elapsed > p.timeout;
    result.stopped = result.stopped || p.stop.stop_requested();
    if (!killed && (result.timed_out || result.stopped)) {
      kill(-pid, SIGKILL);
      killed = true;
    }
    if (!open) {
      poll(nullptr, 0, 1);  // the output is closed, so the exit is imminent
      continue;
    }
    pollfd waiting{read_end.get(), POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(kTick.count())) > 0) {
      open = drain(read_end.get(), p.max_output, result.output, dropped);
    }
  }
  if (dropped > 0) result.output += str("\n[", dropped, " more bytes of output omitted]\n");
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return result;
}

ScratchDirectory::ScratchDirectory(const std::filesystem::path& parent) {
  std::string name = (parent / "eflow-jit-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw_errno("cannot create a private directory", name);
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace eflow::jit

#include "eflow/jit/host/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// The interval at which a running child is checked.
constexpr std::chrono::milliseconds kTick{20};
/// Once the program has ended, output of children that hold its pipe is read until they are silent
/// for the first time, and at most for the second.
constexpr std::chrono::milliseconds kOrphanSilence{2000}, kOrphanTime{10'000};
/// Time after SIGKILL for which the program's end is awaited.
constexpr std::chrono::seconds kKillTime{10};
/// Attempts to start a program on a machine that is short of something, in about a second.
constexpr int kStarts = 5;

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

/// Starts the child in a process group of its own, with `out` as stdout and stderr. Returns an errno.
int spawn(const Process& p, int out, pid_t& pid) {
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
  return posix_spawn(&pid, p.argv[0].c_str(), &setup.actions, &setup.attributes,
                     pointers(p.argv).data(), pointers(p.environment).data());
}

/// A child and the end of the pipe that its output comes from.
struct Started {
  pid_t pid = -1;
  FileDescriptor output = {};
};

/// Returns an errno.
int try_start(const Process& p, Started& out) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  out.output = FileDescriptor(ends[0]);
  const FileDescriptor write_end(ends[1]);
  return spawn(p, write_end.get(), out.pid);
}

/// Tries again while the machine is short of something.
Started start(const Process& p) {
  Started out;
  int code = 0;
  std::chrono::milliseconds pause{10};
  for (int left = kStarts; left > 0; --left, pause *= 4) {
    code = try_start(p, out);
    if (code == 0) return out;
    const bool may_pass = code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE;
    if (!may_pass) {
      errno = code;
      throw_errno("cannot start", p.argv[0]);
    }
    if (left > 1) std::this_thread::sleep_for(pause);
  }
  throw NothingFree(str("[cannot start] ", p.argv[0], ": ", std::strerror(code), ", ", kStarts,
                        " times; end other programs, or raise the limits on processes and open ",
                        "files (ulimit -u, ulimit -n)"));
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

/// Whether the child has ended. It is not reaped yet, which keeps its id, and so the id of its
/// process group, from being reused.
bool has_ended(pid_t pid, bool& reaped) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    reaped = errno == ECHILD;  // the host ignores SIGCHLD
    return reaped;
  }
  return info.si_pid == pid;
}

/// Reaps a child that has ended. If the host ignores SIGCHLD there is no status, which counts as
/// exit code 0.
int reap(pid_t pid) {
  int status = 0;
  pid_t got = -1;
  do {
    got = waitpid(pid, &status, WNOHANG);
  } while (got < 0 && errno == EINTR);
  return got == pid ? exit_code_of(status) : 0;
}

}  // namespace

ProcessResult run_process(const Process& p) {
  const Clock::time_point begin = Clock::now();
  const Started child = start(p);
  const pid_t pid = child.pid;
  const FileDescriptor& read_end = child.output;

  ProcessResult result;
  std::size_t dropped = 0;
  bool running = true, open = true, killed = false;
  bool reaped = false;
  Clock::time_point ended_at = begin, last_output = begin, killed_at = begin;
  while (true) {
    const Clock::time_point now = Clock::now();
    if (running && has_ended(pid, reaped)) {
      running = false;
      ended_at = last_output = now;
    }
    // What the program left in its pipe is read; children that keep it open are not awaited.
    if (!running && (!open || now - last_output > kOrphanSilence || now - ended_at > kOrphanTime))
      break;
    result.timed_out = result.timed_out || (running && now - begin > p.timeout);
    result.stopped =
        result.stopped || (running && (p.stop.stop_requested() || (p.cancelled && p.cancelled())));
    if (!killed && (result.timed_out || result.stopped)) {
      kill(-pid, SIGKILL);
      killed = true;
      killed_at = now;
    }
    if (running && killed && now - killed_at > kKillTime) break;  // stuck in the kernel
    if (!open) {
      poll(nullptr, 0, 1);  // the output is closed, so the exit is imminent
      continue;
    }
    pollfd waiting{read_end.get(), POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(kTick.count())) > 0) {
      open = drain(read_end.get(), p.max_output, result.output, dropped);
      last_output = Clock::now();
    }
  }
  if (!reaped) kill(-pid, SIGKILL);  // children that outlive the program
  if (!running) result.exit_code = reap(pid);
  if (dropped > 0) result.output += str("\n[", dropped, " more bytes of output omitted]\n");
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return result;
}

namespace {

constexpr std::string_view kScratchName = "eflow-jit-XXXXXX", kScratchLock = ".lock";
/// A scratch directory without a lock file that is older was left by a process killed before it
/// made one.
constexpr std::time_t kScratchAge = 3600;

bool is_scratch_name(const std::string& name) {
  return name.size() == kScratchName.size() &&
         name.starts_with(kScratchName.substr(0, kScratchName.find('X')));
}

/// Removes what killed processes of this user left; errors leave it to the next one.
void remove_abandoned_scratch(const fs::path& parent) {
  std::error_code code;
  for (auto at = fs::directory_iterator(parent, code); !code && at != fs::directory_iterator();
       at.increment(code)) {
    const fs::path path = at->path();
    struct stat info {};
    if (!is_scratch_name(path.filename().string()) || lstat(path.c_str(), &info) != 0 ||
        !S_ISDIR(info.st_mode) || info.st_uid != geteuid())
      continue;
    std::error_code ignored;
    const bool has_lock = fs::exists(path / kScratchLock, ignored);
    const FileDescriptor abandoned =
        has_lock ? claim_abandoned(path / kScratchLock) : FileDescriptor();
    const bool old = std::time(nullptr) - info.st_mtime > kScratchAge;
    if (abandoned.valid() || (!has_lock && old)) fs::remove_all(path, ignored);
  }
}

/// Creates the lock file of a new directory. Returns an invalid descriptor if another process took
/// the directory for an abandoned one meanwhile.
FileDescriptor lock_scratch(const fs::path& directory) {
  const fs::path path = directory / kScratchLock;
  FileDescriptor file(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  struct stat info {};
  if (!file.valid()) throw_errno("cannot lock a private directory", path.string());
  const bool ours = try_lock(file, path) != LockState::kBusy && fstat(file.get(), &info) == 0 &&
                    info.st_nlink > 0;
  return ours ? std::move(file) : FileDescriptor();
}

}  // namespace

ScratchDirectory::ScratchDirectory(const fs::path& parent) {
  remove_abandoned_scratch(parent);
  do {
    std::string name = (parent / kScratchName).string();
    if (mkdtemp(name.data()) == nullptr) throw_errno("cannot create a private directory", name);
    path_ = name;
    lock_ = lock_scratch(path_);
  } while (!lock_.valid());
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace eflow::jit

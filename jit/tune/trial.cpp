#include "eflow/jit/tune/trial.hpp"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

[[noreturn]] void run_and_exit(const std::function<void()>& run) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM})
    ::signal(signal, SIG_DFL);
  try {
    run();
  } catch (...) {  // the parent's own run throws it again
  }
  _exit(0);
}

/// Whether the child has ended within the time; `status` is waitpid's.
bool ended_within(pid_t child, double seconds, int& status) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (auto pause = std::chrono::microseconds(50);;) {
    const pid_t got = waitpid(child, &status, WNOHANG);
    if (got == child) return true;
    if (got < 0 && errno != EINTR) throw_errno("cannot wait for a trial", "a config");
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(20'000));
  }
}

}  // namespace

std::string try_in_child(const std::function<void()>& run, double seconds) {
  const pid_t child = fork();
  if (child < 0) throw_errno("cannot start a process for a trial", "a config");
  if (child == 0) run_and_exit(run);
  int status = 0;
  if (!ended_within(child, seconds, status)) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return str("did not finish in ", seconds, " s");
  }
  if (WIFSIGNALED(status))
    return str("ended with signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
  return WEXITSTATUS(status) == 0 ? "" : str("ended with exit code ", WEXITSTATUS(status));
}

}  // namespace eflow::jit

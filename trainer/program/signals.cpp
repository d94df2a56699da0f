#include "eflow/trainer/program/signals.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace eflow::program {
namespace {

std::atomic<int> g_signals{0}, g_insisted{0};
static_assert(std::atomic<int>::is_always_lock_free,
              "a signal handler may touch only lock-free atomics");

/// For the signals of a user or a scheduler that may insist.
void on_insistent_signal(int number) {
  g_signals.fetch_add(1);
  if (g_insisted.fetch_add(1) > 0) _exit(128 + number);
}

/// For signals that come in numbers: a shell repeats the SIGHUP of the terminal, and SIGXCPU comes
/// every second. Ending at the second one would lose what the first one makes the run save.
void on_repeated_signal(int) {
  g_signals.fetch_add(1);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a stop request must not fail a read or write with EINTR
  sigaction(number, &action, nullptr);
}

bool is_ignored(int number) {
  struct sigaction action = {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void install_stop_signals() {
  for (int number : {SIGINT, SIGTERM}) handle(number, on_insistent_signal);
  for (int number : {SIGUSR1, SIGUSR2, SIGXCPU}) handle(number, on_repeated_signal);
  if (!is_ignored(SIGHUP)) handle(SIGHUP, on_repeated_signal);  // nohup ignores it
}

void survive_outputs() {
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);
  for (int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open() returns the lowest free number.
    if (fcntl(file, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

bool stop_requested() {
  return g_signals.load() > 0;
}

}  // namespace eflow::program

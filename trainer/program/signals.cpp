#include "eflow/trainer/program/signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace eflow::program {
namespace {

std::atomic<int> g_signals{0};
static_assert(std::atomic<int>::is_always_lock_free,
              "a signal handler may touch only lock-free atomics");

void on_signal(int number) {
  if (g_signals.fetch_add(1) > 0) _exit(128 + number);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a stop request must not fail a read or write with EINTR
  for (int number : {SIGINT, SIGTERM, SIGUSR1}) sigaction(number, &action, nullptr);
}

bool stop_requested() {
  return g_signals.load() > 0;
}

}  // namespace eflow::program

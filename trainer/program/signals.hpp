#pragma once
// SIGINT, SIGTERM and SIGUSR1 request an orderly stop: save, then exit with code 75. A second
// signal ends the process at once. Only the program installs handlers; the library receives
// stop_requested as a callback.

namespace eflow::program {

void install_stop_signals();
/// Whether one of the signals has arrived since the process started.
[[nodiscard]] bool stop_requested();

}  // namespace eflow::program

#pragma once
// SIGINT, SIGTERM and SIGUSR1 ask for an orderly end: save, then exit with 75. A second one ends
// the process at once. Only the program installs handlers; the library is given stop_requested as a
// function.

namespace eflow::program {

void install_stop_signals();
[[nodiscard]] bool stop_requested();

}  // namespace eflow::program

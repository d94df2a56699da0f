#pragma once
// SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU request an orderly stop: save, then exit
// with code 75. A second SIGINT or SIGTERM ends the process at once. Only the program installs
// handlers; the library receives stop_requested as a callback.

namespace eflow::program {

/// SIGHUP stays ignored if it is (nohup).
void install_stop_signals();
/// Makes writes fail with an errno instead of ending the process: to a pipe without a reader
/// (SIGPIPE) and beyond the limit on file sizes (SIGXFSZ). Opens /dev/null for standard streams that
/// the caller closed, so that no other file takes their number.
void survive_outputs();
/// Whether one of the signals has arrived since the process started.
[[nodiscard]] bool stop_requested();

}  // namespace eflow::program

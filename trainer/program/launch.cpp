// eflow launch: starts a command on several ranks through mpirun, and again after a failure.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/signals.hpp"

namespace eflow::program {
namespace {

constexpr int kLongestPause = 60;  // seconds

struct LaunchFlags {
  std::int64_t ranks = 0, restarts = 3;
  bool fewer = false;
  std::string mpirun = "mpirun";

  std::vector<trainer::Option> options() {
    return {
        {"ranks", &ranks, trainer::between(1, 65536), "Ranks to start; also -n."},
        {"restarts", &restarts, trainer::between(0, 1e6),
         "How often to start again after a failure that another attempt may survive: a lost rank, "
         "a "
         "crash, a full disk."},
        {"fewer", &fewer, "Start again with half of the ranks (needs train.shards)."},
        {"mpirun", &mpirun, "The launcher and its arguments: 'mpirun --host a:4,b:4'."},
    };
  }
};

/// The words of a text, separated by blanks.
Arguments words_of(const std::string& text) {
  Arguments words;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

/// The value of --KEY VALUE or --KEY=VALUE, "" if it is not there.
std::string value_of(const Arguments& arguments, const std::string& key) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--" + key && i + 1 < arguments.size()) return arguments[i + 1];
    if (arguments[i].starts_with("--" + key + "=")) return arguments[i].substr(key.size() + 3);
  }
  return "";
}

/// Number of steps that the runs below `out` have finished, as their metrics say.
std::int64_t progress_of(const std::filesystem::path& out) {
  std::int64_t lines = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out, error)) {
    if (entry.path().filename() != "metrics.jsonl") continue;
    const std::string text = read_file(entry.path(), 1ull << 36);
    lines += std::count(text.begin(), text.end(), '\n');
  }
  return lines;
}

constexpr int kNotStarted = 127;  // as a shell says it

/// Whether another attempt may end otherwise: not after success, a stop, or an error in what was
/// asked for.
bool worth_another(int code) {
  constexpr int kFinal[] = {trainer::kExitOk,   trainer::kExitSaved,   trainer::kExitUsage,
                            trainer::kExitData, trainer::kExitNumeric, trainer::kExitCheckpoint,
                            kNotStarted};
  return std::find(std::begin(kFinal), std::end(kFinal), code) == std::end(kFinal);
}

/// Starts the words as a process that ends when this one does.
pid_t start(const Arguments& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_errno("fork", words[0]);
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(trainer::kExitInternal);
  ::execvp(pointers[0], pointers.data());
  std::fprintf(stderr, "eflow: cannot start %s: %s; install Open MPI or pass --mpirun COMMAND\n",
               pointers[0], std::strerror(errno));
  ::_exit(kNotStarted);
}

/// Waits for the launcher. A request to stop becomes SIGUSR1, which mpirun hands on to all ranks;
/// SIGTERM would make it kill them.
int wait_for(pid_t child) {
  bool asked = false;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) throw_errno("wait", "mpirun");
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (stop_requested() && !asked) {
      asked = true;
      ::kill(child, SIGUSR1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Arguments command_line(const LaunchFlags& flags, std::int64_t ranks, const Arguments& command) {
  Arguments words = words_of(flags.mpirun);
  if (words.empty()) throw InvalidArgument("--mpirun is empty");
  const Arguments options = {"--bind-to", "none", "-n", std::to_string(ranks)};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(std::filesystem::read_symlink("/proc/self/exe").string());
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

/// Runs the command until it succeeds, is asked to stop, or need not be tried again.
int run_until_done(const LaunchFlags& flags, const Arguments& command) {
  const std::filesystem::path out = value_of(command, "out");
  std::int64_t ranks = flags.ranks;
  std::optional<std::int64_t> failed_at;
  for (std::int64_t attempt = 0;; ++attempt) {
    const int code = wait_for(start(command_line(flags, ranks, command)));
    if (stop_requested() || !worth_another(code)) return code;
    const std::int64_t progress = out.empty() ? -attempt : progress_of(out);
    std::fprintf(stderr, "eflow launch: attempt %lld ended with exit code %d after %lld steps\n",
                 static_cast<long long>(attempt + 1), code, static_cast<long long>(progress));
    if (failed_at == progress) {
      std::fprintf(stderr, "eflow launch: the same step failed twice; not trying again\n");
      return code;
    }
    if (attempt == flags.restarts) return code;
    failed_at = progress;
    if (flags.fewer) ranks = std::max<std::int64_t>(1, ranks / 2);
    const int pause = std::min<int>(kLongestPause, 1 << std::min<std::int64_t>(attempt, 10));
    std::fprintf(stderr, "eflow launch: starting again on %lld ranks in %d s\n",
                 static_cast<long long>(ranks), pause);
    for (int n = 0; n < 10 * pause && !stop_requested(); ++n)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (stop_requested()) return code;
  }
}

}  // namespace

int launch(const Arguments& arguments) {
  LaunchFlags flags;
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  Arguments own(arguments.begin(), separator);
  if (wants_help(own)) {
    return print_help(
        {"eflow launch -n N [--restarts K] [--fewer] -- train [...]",
         "Starts a command on N ranks through mpirun, and again after a failure, with longer and "
         "longer pauses; stops if the same step fails twice. Ctrl-C saves and stops the run."},
        flags.options());
  }
  for (std::string& word : own) {
    if (word == "-n") word = "--ranks";
  }
  parse(own, flags.options(), {"ranks"});
  if (separator == arguments.end() || separator + 1 == arguments.end())
    throw InvalidArgument("the command is missing: eflow launch -n N -- train ...");
  install_stop_signals();
  return run_until_done(flags, {separator + 1, arguments.end()});
}

}  // namespace eflow::program

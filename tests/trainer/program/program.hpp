#pragma once
// Runs the built program through a shell and captures its output.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

struct Outcome {
  int code = -1;     ///< exit code, or 128 + signal
  std::string text;  ///< stdout and stderr together
};

inline int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs `eflow WORDS`; a shell splits the words.
inline Outcome eflow_says(const std::string& words) {
  char log[] = "/tmp/eflow-test-log-XXXXXX";
  const int fd = mkstemp(log);
  if (fd < 0) throw std::runtime_error("no log file");
  close(fd);
  const int status =
      std::system((std::string(EFLOW_PROGRAM) + " " + words + " >" + log + " 2>&1").c_str());
  Outcome outcome{code_of(status), content_of(log)};
  unlink(log);
  return outcome;
}

/// Starts `eflow WORDS` in the background and discards its output.
inline pid_t start_eflow(const std::string& words) {
  const pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c",
          ("exec " + std::string(EFLOW_PROGRAM) + " " + words + " >/dev/null 2>&1").c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  return pid;
}

inline int wait_for(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return code_of(status);
}

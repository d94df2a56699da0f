#pragma once
// A progress bar over clips, and the end of commands that pack them.

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "eflow/io/dataset/pack.hpp"
#include "eflow/trainer/program/progress.hpp"

namespace eflow::program {

/// Draws a bar. Forwards the stop signal to `stop`, if given.
class ClipProgress {
 public:
  explicit ClipProgress(const char* what, std::stop_source* stop = nullptr)
      : what_(what), stop_(stop) {}
  void operator()(std::int64_t done, std::int64_t total);

 private:
  const char* what_;
  std::stop_source* stop_;
  std::shared_ptr<trainer::Progress> bar_;
};

/// Prints what was packed into `out`; returns the exit code.
int print_report(const io::PackReport& report, const std::string& out);

}  // namespace eflow::program

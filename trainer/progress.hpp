#pragma once
// What a person sees while a run goes on: one bar that is drawn over itself on a terminal, one line
// every log.every steps elsewhere. metrics.jsonl is the record; this is only its face.

#include <cstdint>
#include <cstdio>
#include <string>

#include "eflow/base/stopwatch.hpp"

namespace eflow::trainer {

class Progress {
 public:
  /// `total` steps; lines of text every `every` steps where `out` is no terminal. Time starts now,
  /// at step `done`.
  Progress(std::FILE* out, std::string what, std::int64_t total, std::int64_t done,
           std::int64_t every);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` steps are finished; `text` is what else to say (the loss).
  void update(std::int64_t done, const std::string& text);
  /// A line of its own, above the bar.
  void say(const std::string& line);

 private:
  void draw(std::int64_t done, const std::string& text);
  std::FILE* out_;
  std::string what_;
  std::int64_t total_, start_, every_;
  bool terminal_, drawn_ = false;
  Stopwatch since_start_, since_draw_;
};

/// "45s", "3m05s", "2h10m".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace eflow::trainer

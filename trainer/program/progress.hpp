#pragma once
// Progress display: a bar that redraws itself on a terminal, or one line every log.every steps
// elsewhere. The permanent record is metrics.jsonl.

#include <cstdint>
#include <string>

#include "eflow/core/base/stopwatch.hpp"
#include "eflow/trainer/program/console.hpp"

namespace eflow::trainer {

class Progress {
 public:
  /// Counts to `total` on `out`, which must outlive this object; `what` names the unit ("step").
  /// Without a terminal, prints a line every `every` steps. The clock starts now, at step `done`.
  Progress(Console& out, std::string what, std::int64_t total, std::int64_t done,
           std::int64_t every);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Reports `done` finished steps; `text` is shown with them (the loss).
  void update(std::int64_t done, const std::string& text);

 private:
  void draw(std::int64_t done, const std::string& text);
  Console& out_;
  std::string what_;
  std::int64_t total_, start_, every_;
  bool terminal_, drawn_ = false;
  Stopwatch since_start_, since_draw_;
};

}  // namespace eflow::trainer

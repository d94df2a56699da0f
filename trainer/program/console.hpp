#pragma once
// Console: lines for the user on a standard stream that may fail. A reader that ends, a terminal
// that closes, a full disk or a pipe that nobody empties must not end or delay a training run. The
// permanent record is metrics.jsonl.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace eflow::trainer {

/// Not thread-safe.
class Console {
 public:
  /// Writes to the descriptor `file`, which stays the caller's; `name` is for the warning.
  Console(int file, std::string name) : file_(file), name_(std::move(name)) {}

  /// Writes `text`, or drops it if that fails or would wait for longer than a second. Warns at the
  /// first failure of a row; the next text is tried again.
  void write(std::string_view text);
  [[nodiscard]] int file() const { return file_; }
  /// Number of texts that were dropped.
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }

  /// stdout and stderr. Text that stdio still holds is written first.
  static Console& output();
  static Console& errors();

 private:
  [[nodiscard]] int try_write(std::string_view text) const;
  int file_;
  std::string name_;
  std::int64_t dropped_ = 0;
  bool failing_ = false;
};

/// `text` with control characters other than line breaks as \xNN: what a message quotes from a file
/// must not reach the terminal as a command.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace eflow::trainer

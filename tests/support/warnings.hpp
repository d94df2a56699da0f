#pragma once
// Captures the library's warnings during a test, instead of printing them.

#include <string>
#include <vector>

#include "eflow/core/base/log.hpp"

namespace eflow::test {

/// Replaces the log sink for its lifetime; keeps warnings and errors, or messages of at least level
/// `least`.
class Warnings {
 public:
  explicit Warnings(LogLevel least = LogLevel::kWarning)
      : before_(set_log_sink([this, least](LogLevel level, std::string_view text) {
          if (level >= least) texts.emplace_back(text);
        })) {}
  ~Warnings() { set_log_sink(std::move(before_)); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;

  [[nodiscard]] int count() const { return static_cast<int>(texts.size()); }
  /// Number of messages that contain `part`.
  [[nodiscard]] int count_with(std::string_view part) const {
    int n = 0;
    for (const std::string& text : texts) n += text.find(part) != std::string::npos;
    return n;
  }
  /// Whether the last message contains `part`.
  [[nodiscard]] bool last_has(std::string_view part) const {
    return !texts.empty() && texts.back().find(part) != std::string::npos;
  }

  std::vector<std::string> texts;

 private:
  LogSink before_;
};

}  // namespace eflow::test

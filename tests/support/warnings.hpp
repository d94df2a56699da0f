#pragma once
// What the library warns of while a test runs, instead of a terminal full of it.

#include <string>
#include <vector>

#include "eflow/base/log.hpp"

namespace eflow::test {

/// Takes the place of the log's sink while it lives; keeps warnings and errors, or what is as loud as `least`.
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
  /// How many have this part.
  [[nodiscard]] int count_with(std::string_view part) const {
    int n = 0;
    for (const std::string& text : texts) n += text.find(part) != std::string::npos;
    return n;
  }
  /// Whether the last one has this part.
  [[nodiscard]] bool last_has(std::string_view part) const {
    return !texts.empty() && texts.back().find(part) != std::string::npos;
  }

  std::vector<std::string> texts;

 private:
  LogSink before_;
};

}  // namespace eflow::test

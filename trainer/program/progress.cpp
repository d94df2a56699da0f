#include "eflow/trainer/program/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int full = static_cast<int>(share * kWidth);
  return str("[", std::string(full, '#'), std::string(kWidth - full, '.'), "]");
}

/// Width of the terminal. A serial line or a container's terminal may not know it; then $COLUMNS
/// counts, and else 80, as a line that wraps cannot be redrawn.
int columns_of(int file) {
  winsize size{};
  if (ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* text = std::getenv("COLUMNS");
  int columns = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), columns);
  return columns > 0 ? columns : 80;
}

/// "45s", "3m05s", "2h10m".
std::string describe_duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::max(0.0, seconds) + 0.5);
  const auto two = [](std::int64_t n) { return str(n < 10 ? "0" : "", n); };
  if (s < 60) return str(s, "s");
  if (s < 3600) return str(s / 60, "m", two(s % 60), "s");
  return str(s / 3600, "h", two(s % 3600 / 60), "m");
}

}  // namespace

Progress::Progress(Console& out, std::string what, std::int64_t total, std::int64_t done,
                   std::int64_t every)
    : out_(out),
      what_(std::move(what)),
      total_(total),
      start_(done),
      every_(every),
      terminal_(isatty(out.file()) != 0) {}

Progress::~Progress() {
  if (drawn_) out_.write("\n");
}

void Progress::update(std::int64_t done, const std::string& text) {
  const bool end = done >= total_;
  const bool due = terminal_ ? !drawn_ || since_draw_.seconds() > 0.2 : done % every_ == 0;
  if (due || end) draw(done, text);
}

void Progress::draw(std::int64_t done, const std::string& text) {
  const double rate = static_cast<double>(done - start_) / std::max(1e-9, since_start_.seconds());
  const std::string eta =
      rate > 0 ? describe_duration(static_cast<double>(total_ - done) / rate) : "?";
  const double share = std::clamp(
      static_cast<double>(done) / static_cast<double>(std::max<std::int64_t>(1, total_)), 0.0, 1.0);
  std::string line = str(what_, " ", done, "/", total_, "  ", text, text.empty() ? "" : "  ",
                         fixed(rate, rate < 10 ? 2 : 0), "/s  ETA ", eta);
  if (terminal_) {
    // One column short of the width, so that the line never wraps.
    line =
        (bar(share) + " " + line).substr(0, static_cast<std::size_t>(columns_of(out_.file()) - 1));
    out_.write("\r\033[K" + line);  // ESC [K: clear to the end of the line
  } else {
    out_.write(line + "\n");
  }
  drawn_ = terminal_;
  since_draw_.lap();
}

}  // namespace eflow::trainer

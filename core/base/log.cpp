#include "eflow/core/base/log.hpp"

#include <cstdio>
#include <mutex>
#include <utility>

namespace eflow {
namespace {

void write_to_stderr(LogLevel level, std::string_view text) {
  if (level < LogLevel::kWarning) return;
  std::fprintf(stderr, "eflow: %s%.*s\n",
               level == LogLevel::kWarning ? "warning: " : "error: ", static_cast<int>(text.size()),
               text.data());
}

struct Sink {
  std::mutex mutex;
  LogSink write = write_to_stderr;
};

Sink& the_sink() {
  static Sink sink;
  return sink;
}

}  // namespace

LogSink set_log_sink(LogSink sink) {
  const std::lock_guard lock(the_sink().mutex);
  return std::exchange(the_sink().write, std::move(sink));
}

void log(LogLevel level, std::string_view text) {
  const std::lock_guard lock(the_sink().mutex);
  try {
    if (the_sink().write) the_sink().write(level, text);
  } catch (...) {  // a message that cannot be written must not end what it reports on
    write_to_stderr(level, text);
  }
}

}  // namespace eflow

#pragma once
// The library's log: one process-wide sink that the application may replace. The library never
// writes to stdout and never exits. Threads: all functions may be called concurrently.

#include <functional>
#include <string_view>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Severity, in ascending order.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Receives one message at a time, without a trailing newline. Must not call log() itself.
using LogSink = std::function<void(LogLevel, std::string_view text)>;

/// Replaces the sink and returns the previous one. The default writes warnings and errors to
/// stderr; an empty sink discards everything.
LogSink set_log_sink(LogSink sink);
/// Passes `text` to the sink. A warning or error for which the sink throws goes to stderr.
void log(LogLevel level, std::string_view text);

/// Logs the concatenation of the parts (see str).
template <class... Parts>
void log_info(const Parts&... parts) {
  log(LogLevel::kInfo, str(parts...));
}
template <class... Parts>
void log_warning(const Parts&... parts) {
  log(LogLevel::kWarning, str(parts...));
}

}  // namespace eflow

EFLOW_EXPORT_END

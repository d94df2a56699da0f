#pragma once
// One replaceable sink for what the library has to say. The library itself never writes to stdout and never exits.
// All calls are thread safe.

#include <functional>
#include <string_view>

#include "eflow/base/error.hpp"

namespace eflow {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogSink = std::function<void(LogLevel, std::string_view text)>;

/// Replaces the sink (default: warnings and errors to stderr); returns the one before.
LogSink set_log_sink(LogSink sink);
void log(LogLevel level, std::string_view text);

template <class... Parts>
void log_info(const Parts&... parts) { log(LogLevel::kInfo, str(parts...)); }
template <class... Parts>
void log_warning(const Parts&... parts) { log(LogLevel::kWarning, str(parts...)); }

}  // namespace eflow

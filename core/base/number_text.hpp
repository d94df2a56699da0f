#pragma once
// Numbers as text that no locale changes: printf follows the application's C locale ("0,5"), streams
// its C++ locale ("1.024").

#include <charconv>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// The text of printf's %.*f: `digits` after the point.
[[nodiscard]] inline std::string fixed_text(double value, int digits) {
  char buffer[512];  // the largest double has 309 digits before the point
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed,
                                 digits < 100 ? digits : 100);
  return {buffer, end.ptr};
}

/// The text of printf's %.*g: `digits` significant digits.
[[nodiscard]] inline std::string short_text(double value, int digits) {
  char buffer[128];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general,
                                 digits < 50 ? digits : 50);
  return {buffer, end.ptr};
}

}  // namespace eflow

EFLOW_EXPORT_END

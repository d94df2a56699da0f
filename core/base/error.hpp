#pragma once
// The exceptions that eflow throws. A message names the operation, what was found, what was
// expected and, if known, the remedy: "[linear] x is [4, 128] f32, w is [96, 256] f32, ...".
// Expected absence (a cache miss, the end of an epoch) is a return value, not an exception.

#include <locale>
#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Concatenates the arguments, each printed with operator<<. The result is often read by a machine
/// (kernel texts, file names, JSON), so numbers never follow the application's global locale.
template <class... Parts>
[[nodiscard]] std::string str(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << parts);
  return std::move(out).str();
}

/// Base of all exceptions of eflow. what() returns the message; where() returns the throwing source
/// location, for bug reports.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text,
                 std::source_location where = std::source_location::current())
      : std::runtime_error(text), where_(where) {}
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

 private:
  std::source_location where_;
};

/// The caller passed a value that is not allowed (an option, a range, a dtype).
struct InvalidArgument : Error {
  using Error::Error;
};
/// Shapes do not match each other or the operation.
struct ShapeError : Error {
  using Error::Error;
};
/// The device failed or is out of memory.
struct DeviceError : Error {
  using Error::Error;
};
/// A kernel text failed to compile, or no compiled form of it exists.
struct CompileError : Error {
  using Error::Error;
};
/// The operating system reported an error; the message contains the path and the errno text.
struct IoError : Error {
  using Error::Error;
};
/// The disk or quota is full. The program maps it to an exit code of its own.
struct NoSpaceError : IoError {
  using IoError::IoError;
};
/// A file's content is damaged or truncated; the message contains the path and, if known, the
/// offset, the expected and the found value.
struct CorruptData : Error {
  using Error::Error;
};
/// Training stopped because a loss or gradient norm is not finite.
struct NumericError : Error {
  using Error::Error;
};

/// Throws for the current errno: NoSpaceError for ENOSPC and EDQUOT, otherwise IoError. The message
/// is "[what] path: errno text".
[[noreturn]] void throw_errno(const std::string& what, const std::string& path);

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, std::source_location where);
}

}  // namespace eflow

/// Checks an internal invariant and throws Error if it is false. Never used for caller mistakes.
#define EFLOW_ASSERT(condition) \
  (static_cast<bool>(condition) \
       ? static_cast<void>(0)   \
       : ::eflow::detail::assertion_failed(#condition, std::source_location::current()))

EFLOW_EXPORT_END

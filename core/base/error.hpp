#pragma once
// Every failure of eflow is one of the exceptions below: a text that says what, where, found, expected and what to do,
// and the place in our source that noticed. Expected absence (a cache miss, the end of an epoch) is a value instead.

#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>

namespace eflow {

/// Concatenates its arguments as operator<< prints them.
template <class... Parts>
[[nodiscard]] std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

/// Base of all errors. what() is the text alone; where() is for bug reports.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text,
                 std::source_location where = std::source_location::current())
      : std::runtime_error(text), where_(where) {}
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

 private:
  std::source_location where_;
};

/// A value that the caller chose is not allowed (an option, a range, a dtype).
struct InvalidArgument : Error { using Error::Error; };
/// Shapes do not fit each other or the operation.
struct ShapeError : Error { using Error::Error; };
/// The device failed or has no memory left.
struct DeviceError : Error { using Error::Error; };
/// A kernel text did not compile, or no compiled form of it exists.
struct CompileError : Error { using Error::Error; };
/// The operating system refused: text has the path and errno's words.
struct IoError : Error { using Error::Error; };
/// No space left for what is to be written; a kind of IoError with its own exit code.
struct NoSpaceError : IoError { using IoError::IoError; };
/// A file's bytes are not what they must be: text has the path, the offset, expected and found.
struct CorruptData : Error { using Error::Error; };
/// Training met a number that is not finite and stopped.
struct NumericError : Error { using Error::Error; };

/// IoError (or NoSpaceError for ENOSPC, EDQUOT) for the current errno: "[what] path: No space left on device".
[[noreturn]] void throw_errno(const std::string& what, const std::string& path);

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, std::source_location where);
}

}  // namespace eflow

/// A broken invariant of ours, never a user's mistake.
#define EFLOW_ASSERT(condition)                                                           \
  (static_cast<bool>(condition)                                                           \
       ? static_cast<void>(0)                                                             \
       : ::eflow::detail::assertion_failed(#condition, std::source_location::current()))

#include "eflow/core/base/error.hpp"

#include <cerrno>
#include <cstring>

namespace eflow {

void throw_errno(const std::string& what, const std::string& path) {
  const int code = errno;
  const std::string text = str("[", what, "] ", path, ": ", std::strerror(code));
  if (code == ENOSPC || code == EDQUOT) {
    throw NoSpaceError(text + "; free some space or choose another directory");
  }
  if (code == EFBIG) {
    throw IoError(text + "; a limit on file sizes is reached (ulimit -f): raise it");
  }
  throw IoError(text);
}

namespace detail {

void assertion_failed(const char* condition, std::source_location where) {
  throw Error(str("internal error: ", condition, " is false in ", where.function_name(), " (",
                  where.file_name(), ":", where.line(), "); please report it"),
              where);
}

}  // namespace detail
}  // namespace eflow

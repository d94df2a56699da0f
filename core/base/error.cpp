#include "eflow/core/base/error.hpp"

#include <cerrno>
#include <cstring>

namespace eflow {

namespace {

/// What usually removes the cause of an error of the system; empty if that depends on the operation.
const char* remedy(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space or choose another directory";
    case EFBIG:
      return "; a limit on file sizes is reached (ulimit -f): raise it";
    case EMFILE:
      return "; a limit on open files is reached (ulimit -n): raise it";
    case EACCES:
    case EPERM:
      return "; this user may not do that: change the permissions or choose another path";
    case ENOENT:
      return "; check the path";
    case EROFS:
      return "; choose a path on a file system that can be written";
    case ENOTDIR:
      return "; a part of the path is a file: choose another path";
    case EISDIR:
      return "; expected a file, found a folder: move it away or choose another path";
    case ENAMETOOLONG:
      return "; choose a shorter path";
    case ELOOP:
      return "; a symbolic link leads back to itself: remove it";
    case EIO:
      return "; the device failed, see the log of the kernel (dmesg)";
    default:
      return "";
  }
}

}  // namespace

void throw_errno(const std::string& what, const std::string& path) {
  const int code = errno;
  const std::string text = str("[", what, "] ", path, ": ", std::strerror(code), remedy(code));
  if (code == ENOSPC || code == EDQUOT) throw NoSpaceError(text);
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

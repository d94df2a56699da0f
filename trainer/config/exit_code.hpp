#pragma once
// Exit codes of the program, and the one place that maps exceptions to them.

#include <exception>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// A data set is missing, or its shapes or labels do not fit the request.
struct DataError : Error {
  using Error::Error;
};
/// A checkpoint or run folder is missing, damaged or belongs to another model.
struct CheckpointError : Error {
  using Error::Error;
};

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 2,       ///< wrong arguments or configuration
  kExitData = 3,        ///< a data set is missing, damaged or does not fit
  kExitCheckpoint = 4,  ///< a checkpoint is missing, damaged or does not fit
  kExitDevice = 5,      ///< device failure or out of memory
  kExitNumeric = 6,     ///< a loss or gradient was not finite
  kExitPeer = 7,        ///< another rank of the job ended, hangs or is late
  kExitIo = 8,          ///< no space left, or a system call failed
  kExitInternal = 70,   ///< a bug in eflow
  kExitSaved = 75,      ///< stopped by a signal after saving; run the command again to continue
};

/// The exit code for an exception; kExitInternal for a type that no case covers.
[[nodiscard]] ExitCode exit_code_of(const std::exception& error);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Exit codes of the program, and the one place that maps exceptions to them.

#include <exception>

#include "eflow/base/error.hpp"

namespace eflow::trainer {

/// A data set does not fit what is asked of it (absent, wrong shapes, labels out of range).
struct DataError : Error {
  using Error::Error;
};
/// A checkpoint or run directory is absent, damaged or another model's.
struct CheckpointError : Error {
  using Error::Error;
};

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 2,       ///< wrong arguments or configuration
  kExitData = 3,        ///< a data set is absent, damaged or does not fit
  kExitCheckpoint = 4,  ///< the same for a checkpoint
  kExitDevice = 5,      ///< device failure or out of memory
  kExitNumeric = 6,     ///< a loss or gradient was not finite
  kExitIo = 8,          ///< no space, or the operating system refused
  kExitInternal = 70,   ///< a mistake of ours
  kExitSaved = 75,      ///< stopped by a signal, after saving: run again to go on
};

[[nodiscard]] ExitCode exit_code_of(const std::exception& error);

}  // namespace eflow::trainer

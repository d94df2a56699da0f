#pragma once
// SideOutput: what a run writes for others (messages, metrics, previews, the held-out error). If it
// fails, the run goes on: only the loss of training itself may end it.

#include <cstdint>
#include <exception>
#include <string>

#include "eflow/core/base/log.hpp"

namespace eflow::trainer {

class SideOutput {
 public:
  /// Calls `write` and returns whether it succeeded. The first failure of a row is a warning that
  /// opens with `problem` ("could not write the preview of step 6"), and so is the end of the row.
  template <class F>
  bool attempt(const std::string& problem, const F& write) {
    try {
      write();
    } catch (const std::exception& error) {
      if (failures_++ == 0)
        log_warning(problem, ": ", error.what(), "; the run goes on and tries again");
      return false;
    }
    if (failures_ > 1) log_warning("this works again, after ", failures_, " failures: ", problem);
    failures_ = 0;
    return true;
  }

 private:
  std::int64_t failures_ = 0;
};

}  // namespace eflow::trainer

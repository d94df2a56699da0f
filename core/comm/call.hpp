#pragma once
// Call: what one collective operation is for, given by the code that starts it. Errors and the log
// of calls quote it.

#include <cstdint>

namespace eflow::comm {

struct Call {
  const char* what = "";  ///< a literal: "gradients"
  std::int64_t step = 0;  ///< the training step, counted from 1; 0: outside of steps
};

}  // namespace eflow::comm

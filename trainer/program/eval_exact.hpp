#pragma once
// eflow eval --exact.

#include <cstdint>
#include <string>

namespace eflow::program {

struct ExactRequest {
  std::int64_t clips = 256;
  std::uint64_t seed = 1;
  double shift = 3, guidance = 0;  ///< guidance: one w; 0: 2.5, 3, 3.5, 4, 4.5 where it is told
  bool json = false;
};

/// Prints exact_errors() of a run's averaged weights; one JSON object a w with `json`. Throws
/// InvalidArgument for a run on other data.
int eval_exact(const std::string& run, const ExactRequest& request);

}  // namespace eflow::program

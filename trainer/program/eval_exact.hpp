#pragma once
// eflow eval --exact: compares a run with the exactly known flow that it was trained on.

#include <cstdint>
#include <string>

namespace eflow::program {

struct ExactRequest {
  std::int64_t clips = 256;
  std::uint64_t seed = 1;
  double shift = 3;     ///< of the sampling times
  double guidance = 0;  ///< one w; 0: 2.5, 3, 3.5, 4, 4.5 for models that take w as an input
  bool json = false;
};

/// Prints exact_errors() of a run's averaged weights for each w; with `json`, as one JSON object
/// per line. Throws InvalidArgument for a run on other data or a causal run. Returns the exit code.
int eval_exact(const std::string& run, const ExactRequest& request);

}  // namespace eflow::program

#pragma once
// Binary search in the ascending raster positions of kept tokens: where a window begins and ends.

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

/// First index in [0, n) whose position is at least `value`; n if there is none.
EFLOW_FN Index first_at_least(const Index* positions, Index n, Index value) {
  Index low = 0;
  while (n > 0) {
    const Index half = n / 2;
    const bool right = positions[low + half] < value;
    low = right ? low + half + 1 : low;
    n = right ? n - half - 1 : half;
  }
  return low;
}

}  // namespace EFLOW_TEXT

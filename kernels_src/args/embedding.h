#pragma once
// Arguments of embedding.h.

namespace eflow::args {

/// dtable[r] = sum of dy[order[k]] for k in [starts[r], starts[r + 1]), in that order.
struct EmbeddingGrad {
  const void* dy;
  void* dtable;  ///< row-major [rows, width]
  const long long* order;
  const long long* starts;  ///< [rows + 1]
  long long rows, width;
  long long dy_stride;  ///< between rows, in elements
  long long rows_per_block;
};

}  // namespace eflow::args

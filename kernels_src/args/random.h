#pragma once
// Arguments of random.h.

namespace eflow::args {

/// y[b, e] = random number e of sample sample_ids[b] in the stream `key`.
struct Random {
  void* y;                      ///< row-major
  const long long* sample_ids;  ///< one per block.y
  long long count;              ///< elements of a sample
  long long tiles_per_block;
  unsigned int key_low, key_high;
};

}  // namespace eflow::args

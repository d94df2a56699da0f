#pragma once
// Small matrices transposed in registers.

#include "eflow/kernels_src/tile/cpu/pack.h"

namespace EFLOW_TEXT {

/// Transposes a 4 x 4 matrix of operands in registers.
template <class Q>
EFLOW_FN void transpose(Q (&q)[4]) {
  const Q low01 = __builtin_shufflevector(q[0], q[1], 0, 4, 1, 5);
  const Q high01 = __builtin_shufflevector(q[0], q[1], 2, 6, 3, 7);
  const Q low23 = __builtin_shufflevector(q[2], q[3], 0, 4, 1, 5);
  const Q high23 = __builtin_shufflevector(q[2], q[3], 2, 6, 3, 7);
  q[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  q[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  q[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  q[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

#if defined(__AVX512F__)
/// Exchanges the off-diagonal blocks of a 2 kBlock x 2 kBlock matrix, in each such block of rows.
template <int kBlock>
EFLOW_FN void exchange_blocks(Words (&q)[16]) {
#define EFLOW_LOW(l) ((l)&kBlock ? 16 + (l)-kBlock : (l))
#define EFLOW_HIGH(l) ((l)&kBlock ? 16 + (l) : (l) + kBlock)
#define EFLOW_LANES(f)                                                                           \
  f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), \
      f(15)
  EFLOW_UNROLL for (int i = 0; i < 16; ++i) {
    if ((i & kBlock) != 0) continue;
    const Words low = __builtin_shufflevector(q[i], q[i + kBlock], EFLOW_LANES(EFLOW_LOW));
    q[i + kBlock] = __builtin_shufflevector(q[i], q[i + kBlock], EFLOW_LANES(EFLOW_HIGH));
    q[i] = low;
  }
#undef EFLOW_LANES
#undef EFLOW_HIGH
#undef EFLOW_LOW
}

/// Transposes a 16 x 16 matrix of operands in registers.
EFLOW_FN void transpose(Words (&q)[16]) {
  exchange_blocks<8>(q);
  exchange_blocks<4>(q);
  exchange_blocks<2>(q);
  exchange_blocks<1>(q);
}
#endif

}  // namespace EFLOW_TEXT

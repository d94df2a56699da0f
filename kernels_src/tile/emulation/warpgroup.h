#pragma once
// Emulated replacement of kernels_src/tile/cuda/warpgroup.h, in its place.

#include "eflow/kernels_src/tile/cuda/block.h"
#include "eflow/kernels_src/tile/emulation/calls.h"

namespace EFLOW_TEXT {

inline constexpr bool kWarpgroups = kArch == 90;

EFLOW_FN u64 operand_at(const void* first, int leading_bytes, int stride_bytes) {
  return emulated::operand_at(first, leading_bytes, stride_bytes);
}
EFLOW_FN void publish_shared_writes() {}
EFLOW_FN void begin_products() {
  emulated::begin_products();
}
EFLOW_FN void finish_products() {
  emulated::finish_products();
}

template <int kStrips, bool kDownA, bool kDownB>
EFLOW_FN void multiply_shared(float (*c)[4], u64 a, u64 b) {
  emulated::multiply_shared(kStrips, c[0], nullptr, a, kDownA, b, kDownB);
}
template <int kStrips, bool kDownB>
EFLOW_FN void multiply_shared(float (*c)[4], const u32 (&a)[4], u64 b) {
  emulated::multiply_shared(kStrips, c[0], a, 0, false, b, kDownB);
}

}  // namespace EFLOW_TEXT

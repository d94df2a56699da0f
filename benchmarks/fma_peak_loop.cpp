// Independent multiply-adds in registers, as many as hide their latency; compiled once for each instruction set.

#include "tile/matrix_kernel_cpu.h"

namespace EFLOW_TEXT {
namespace {

constexpr int kChains = 12;

template <class E>
void peak_loop(long long steps, E factor, float start, void* out) {
  using V = Pack<Sum<E>>;
  V sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = splat<Sum<E>>(start * static_cast<float>(i));
  const V b = splat<Sum<E>>(start);
  for (; steps > 0; --steps) {
    for (int i = 0; i < kChains; ++i) sum[i] = multiply_add(factor, b, sum[i]);
  }
  V total{};
  for (int i = 0; i < kChains; ++i) total += sum[i];
  __builtin_memcpy(out, &total, sizeof total);
}

template <class E>
EFLOW_FN double flops_of(long long steps) {
  return 2.0 * kChains * static_cast<double>(steps * kLanes<Sum<E>> * kDepth<E>);
}

}  // namespace

/// Does at least `steps` multiply-adds a chain; returns the floating-point operations done. element: 4 f32, 8 f64, 2 bf16.
double run_peak(int element, long long steps, float start, void* out) {
  if (element == 8) {
    peak_loop<double>(steps, static_cast<double>(start), start, out);
    return flops_of<double>(steps);
  }
  if (element == 2) {
    Operand<bf16> factor{};
    __builtin_memcpy(&factor, &start, sizeof factor);
    peak_loop<Operand<bf16>>(steps, factor, start, out);
    return flops_of<Operand<bf16>>(steps);
  }
  peak_loop<float>(steps, start, start, out);
  return flops_of<float>(steps);
}

}  // namespace EFLOW_TEXT

#include "eflow/trainer/cost/device_peak.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/trainer/cost/fma_peak.hpp"

namespace eflow::trainer {
namespace {

/// Values in [-1, 1] of a prime period.
Tensor irregular(const Shape& shape, DType dtype) {
  constexpr std::size_t kPeriod = 65521;
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i < kPeriod ? static_cast<float>(std::sin(12.9898 * static_cast<double>(i)))
                            : values[i - kPeriod];
  }
  return cast(Tensor::from(values, shape), dtype);
}

double measure_matmul_peak(double seconds, DType dtype) {
  constexpr std::int64_t kSize = 8192;
  constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  const NoGrad off;
  const DevicePtr& device = default_device();
  // Not zeros, on which a GPU draws less power and runs faster than on data.
  const Tensor x = irregular({kSize, kSize}, dtype), w = irregular({kSize, kSize}, dtype);
  const auto once = [&] {
    const Stopwatch watch;
    static_cast<void>(linear(x, w));
    device->synchronize({});
    return watch.seconds();
  };
  once();
  double best = once();
  for (const Stopwatch all; all.seconds() < seconds;) best = std::min(best, once());
  return kFlops / best;
}

}  // namespace

double measure_device_peak(double seconds, DType dtype) {
  const DevicePtr& device = default_device();
  return device->on_host() ? measure_fma_peak(device->runtime().pool().size(), seconds, dtype)
                           : measure_matmul_peak(seconds, dtype);
}

}  // namespace eflow::trainer

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

/// Fastest of the runs that fit in `seconds`, after one to warm up.
template <class F>
double best_seconds(double seconds, F&& run) {
  const auto once = [&] {
    const Stopwatch watch;
    run();
    default_device()->synchronize({});
    return watch.seconds();
  };
  once();
  double best = once();
  for (const Stopwatch all; all.seconds() < seconds;) best = std::min(best, once());
  return best;
}

double measure_matmul_peak(double seconds, DType dtype) {
  constexpr std::int64_t kSize = 8192;
  constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  const NoGrad off;
  const Tensor x = irregular_values({kSize, kSize}, dtype);
  const Tensor w = irregular_values({kSize, kSize}, dtype);
  return kFlops / best_seconds(seconds, [&] { static_cast<void>(linear(x, w)); });
}

}  // namespace

double measure_device_peak(double seconds, DType dtype) {
  const DevicePtr& device = default_device();
  return device->on_host() ? measure_fma_peak(device->runtime().pool().size(), seconds, dtype)
                           : measure_matmul_peak(seconds, dtype);
}

double measure_device_memory_rate(double seconds) {
  const DevicePtr& device = default_device();
  if (device->on_host()) return measure_memory_rate(device->runtime().pool().size(), seconds);
  const NoGrad off;
  const Tensor x = irregular_values({std::int64_t{1} << 28}, DType::kF32);
  const double bytes = 2.0 * static_cast<double>(x.count()) * sizeof(float);
  return bytes / best_seconds(seconds, [&] { static_cast<void>(affine(x, 1, 0)); });
}

Tensor irregular_values(const Shape& shape, DType dtype) {
  constexpr std::size_t kPeriod = 65521;
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i < kPeriod ? static_cast<float>(std::sin(12.9898 * static_cast<double>(i)))
                            : values[i - kPeriod];
  }
  const NoGrad off;
  return cast(Tensor::from(values, shape), dtype);
}

}  // namespace eflow::trainer

#include "eflow/trainer/device_peak.hpp"

#include <algorithm>

#include "eflow/base/stopwatch.hpp"
#include "eflow/core/ops.hpp"
#include "eflow/trainer/fma_peak.hpp"

namespace eflow::trainer {
namespace {

double measure_matmul_peak(double seconds, DType dtype) {
  constexpr std::int64_t kSize = 8192;
  constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  const NoGrad off;
  const DevicePtr& device = default_device();
  const Tensor x = Tensor::zeros({kSize, kSize}, dtype), w = Tensor::zeros({kSize, kSize}, dtype);
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

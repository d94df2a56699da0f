#include "eflow/examples/kernels/example.hpp"

namespace examples {
namespace {

double softmax_of(const DevicePtr& device, DType dtype, Index rows, Index width) {
  const int most = width <= 1024 ? static_cast<int>((width + 63) / 64 * 64) : 0;
  const Kernel kernel(device, "softmax.h", "softmax_rows<$t0, $c0>", dtype, {most});
  const Tensor x = random({rows, width}, dtype, device, 1);
  const Tensor y = Tensor::empty({rows, width}, dtype, device);
  const SoftmaxArgs args{x.data(), y.data(), rows, width, 4};
  kernel({.x = blocks(rows, 4)}, args);

  auto expected = x.to_vector<double>();
  for (auto row = expected.begin(); row != expected.end(); row += width) {
    const double highest = *std::max_element(row, row + width);
    double sum = 0;
    for (Index i = 0; i < width; ++i) sum += row[i] = std::exp(row[i] - highest);
    for (Index i = 0; i < width; ++i) row[i] /= sum;
  }
  return error_of(y, [&](std::size_t i) { return expected[i]; });
}

}  // namespace

double softmax(const DevicePtr& device, DType dtype) {
  return std::max(softmax_of(device, dtype, 37, 200), softmax_of(device, dtype, 3, 3000));
}

}  // namespace examples

#include "eflow/examples/kernels/example.hpp"

namespace examples {

double cumsum(const DevicePtr& device, DType dtype) {
  const Index rows = 3, width = 1000;
  const Kernel kernel(device, "cumsum.h", "cumsum<$t0>", dtype);
  const Tensor x = random({rows, width}, dtype, device, 1);
  const Tensor y = Tensor::empty({rows, width}, dtype, device);
  const CumsumArgs args{x.data(), y.data(), width};
  kernel({.x = rows}, args);

  auto expected = x.to_vector<double>();
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] += i % static_cast<std::size_t>(width) == 0 ? 0 : expected[i - 1];
  return error_of(y, [&](std::size_t i) { return expected[i]; });
}

}  // namespace examples

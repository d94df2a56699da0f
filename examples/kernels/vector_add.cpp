#include "eflow/examples/kernels/example.hpp"

namespace examples {

double vector_add(const DevicePtr& device, DType dtype) {
  const Index count = 5000, per_block = 1024;
  const Kernel kernel(device, "vector_add.h", "vector_add<$t0>", dtype);
  const Tensor x = random({count}, dtype, device, 1), y = random({count}, dtype, device, 2);
  const Tensor z = Tensor::empty({count}, dtype, device);
  const VectorAddArgs args{x.data(), y.data(), z.data(), count, per_block};
  kernel({.x = blocks(count, per_block)}, args);

  const auto a = x.to_vector<double>(), b = y.to_vector<double>();
  return error_of(z, [&](std::size_t i) { return a[i] + b[i]; });
}

}  // namespace examples

#include "eflow/examples/kernels/example.hpp"

namespace examples {

double matmul(const DevicePtr& device, DType dtype) {
  const Index m = 100, n = 90, k = 80;
  const int tile_m = 64, tile_n = 64, tile_k = 32;
  const Kernel kernel(device, "matmul.h", "matmul<$t0, $c0, $c1, $c2>", dtype,
                      {tile_m, tile_n, tile_k});
  const Tensor x = random({m, k}, dtype, device, 1), w = random({k, n}, dtype, device, 2);
  const Tensor bias = random({n}, dtype, device, 3), y = Tensor::empty({m, n}, dtype, device);
  const MatmulArgs args{x.data(), w.data(), bias.data(), y.data(), m, n, k};
  kernel({.x = blocks(n, tile_n), .y = blocks(m, tile_m)}, args);

  const auto a = x.to_vector<double>(), b = w.to_vector<double>(), c = bias.to_vector<double>();
  return error_of(y, [&](std::size_t i) {
    const Index row = static_cast<Index>(i) / n, column = static_cast<Index>(i) % n;
    double s = c[static_cast<std::size_t>(column)];
    for (Index j = 0; j < k; ++j)
      s += a[static_cast<std::size_t>(row * k + j)] * b[static_cast<std::size_t>(j * n + column)];
    return s / 2 * (1 + std::tanh(0.7978845608028654 * (s + 0.044715 * s * s * s)));
  });
}

}  // namespace examples

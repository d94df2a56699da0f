#include "eflow/examples/kernels/example.hpp"

namespace examples {

double grouped_gemm(const DevicePtr& device, DType dtype) {
  const std::vector<int> begin{0, 70, 70, 75, 140};  // four groups, one of them empty
  const Index groups = 4, rows = begin.back(), n = 90, k = 80;
  const int tile_m = 64, tile_n = 64, tile_k = 32;
  const Kernel kernel(device, "grouped_gemm.h", "grouped_gemm<$t0, $c0, $c1, $c2>", dtype,
                      {tile_m, tile_n, tile_k});
  const Tensor x = random({rows, k}, dtype, device, 1),
               w = random({groups, k, n}, dtype, device, 2);
  const Tensor y = Tensor::empty({rows, n}, dtype, device);
  const Tensor begins = Tensor::from(begin, {groups + 1}, device);
  const GroupedGemmArgs args{x.data(), w.data(), y.data(), begins.data(), groups, n, k};
  // At most one tile of each group is not full.
  kernel({.x = blocks(n, tile_n), .y = rows / tile_m + groups}, args);

  const auto a = x.to_vector<double>(), b = w.to_vector<double>();
  return error_of(y, [&](std::size_t i) {
    const int row = static_cast<int>(i) / static_cast<int>(n);
    const auto group = std::upper_bound(begin.begin(), begin.end(), row) - begin.begin() - 1;
    const double* const from = b.data() + group * k * n + static_cast<Index>(i) % n;
    double sum = 0;
    for (Index j = 0; j < k; ++j) sum += a[static_cast<std::size_t>(row * k + j)] * from[j * n];
    return sum;
  });
}

}  // namespace examples

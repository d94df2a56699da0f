#include "eflow/examples/kernels/example.hpp"

namespace examples {

double attention(const DevicePtr& device, DType dtype) {
  constexpr Index kHeads = 2, kTokens = 150, kDim = 64;
  const Kernel kernel(device, "attention.h", "attention<$t0, $c0, $c1, $c2>", dtype,
                      {kDim, 64, 64});
  const eflow::Shape shape{kHeads, kTokens, kDim};
  const Tensor q = random(shape, dtype, device, 1), k = random(shape, dtype, device, 2);
  const Tensor v = random(shape, dtype, device, 3), o = Tensor::empty(shape, dtype, device);
  const AttentionArgs args{q.data(), k.data(), v.data(), o.data(), kTokens, 1.4426950f / 8};
  kernel({.x = blocks(kTokens, 64), .y = kHeads}, args);

  const auto a = q.to_vector<double>(), b = k.to_vector<double>(), c = v.to_vector<double>();
  std::vector<double> expected(a.size());
  for (std::size_t row = 0; row < kHeads * kTokens; ++row) {
    const std::size_t first = row / kTokens * kTokens;
    double total = 0;
    for (std::size_t key = first; key <= row; ++key) {
      double score = 0;
      for (std::size_t d = 0; d < kDim; ++d) score += a[row * kDim + d] * b[key * kDim + d];
      const double weight = std::exp(score / 8);
      total += weight;
      for (std::size_t d = 0; d < kDim; ++d) expected[row * kDim + d] += weight * c[key * kDim + d];
    }
    for (std::size_t d = 0; d < kDim; ++d) expected[row * kDim + d] /= total;
  }
  return error_of(o, [&](std::size_t i) { return expected[i]; });
}

}  // namespace examples

#include "eflow/examples/kernels/example.hpp"

namespace examples {

double layer_norm(const DevicePtr& device, DType dtype) {
  const Index rows = 37, width = 200, per_block = 8;
  const Kernel kernel(device, "layer_norm.h", "layer_norm<$t0, $c0>", dtype, {256});
  const Tensor x = random({rows, width}, dtype, device, 1), f = random({width}, dtype, device, 2);
  const Tensor o = random({width}, dtype, device, 3);
  const Tensor y = Tensor::empty({rows, width}, dtype, device);
  const Tensor mean = Tensor::empty({rows}, DType::kF32, device);
  const Tensor rstd = Tensor::empty({rows}, DType::kF32, device);
  const LayerNormArgs args{x.data(),    f.data(), o.data(), y.data(), mean.data(),
                           rstd.data(), rows,     width,    per_block};
  kernel({.x = blocks(rows, per_block)}, args);

  auto expected = x.to_vector<double>();
  const auto factor = f.to_vector<double>(), offset = o.to_vector<double>();
  for (auto row = expected.begin(); row != expected.end(); row += width) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < width; ++i) sum += row[i];
    const double centre = sum / static_cast<double>(width);
    for (Index i = 0; i < width; ++i) squares += (row[i] - centre) * (row[i] - centre);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
    for (Index i = 0; i < width; ++i) row[i] = (row[i] - centre) * scale;
  }
  return error_of(y, [&](std::size_t i) {
    const std::size_t column = i % static_cast<std::size_t>(width);
    return expected[i] * factor[column] + offset[column];
  });
}

}  // namespace examples

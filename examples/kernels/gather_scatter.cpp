#include "eflow/examples/kernels/example.hpp"

namespace examples {

double gather_scatter(const DevicePtr& device, DType dtype) {
  const Index entries = 20, rows = 100, width = 70, per_block = 8;
  const Kernel gather(device, "gather_scatter.h", "gather_rows<$t0>", dtype);
  const Kernel scatter(device, "gather_scatter.h", "scatter_add<$t0>", dtype);
  std::vector<int> index;
  for (int r = 0; r < rows; ++r) index.push_back(r * 7 % 13);  // entries from 13 on get nothing
  const Tensor table = random({entries, width}, dtype, device, 1);
  const Tensor indices = Tensor::from(index, {rows}, device);
  const Tensor y = Tensor::empty({rows, width}, dtype, device);
  const Tensor sums = Tensor::zeros({entries, width}, DType::kF32, device);
  const GatherScatterArgs args{table.data(), indices.data(), y.data(), sums.data(),
                               rows,         width,          per_block};
  gather({.x = blocks(rows, per_block)}, args);
  scatter({.x = blocks(rows, per_block)}, args);

  const auto from = table.to_vector<double>();
  const std::size_t w = static_cast<std::size_t>(width);
  std::vector<double> total(from.size());
  for (std::size_t i = 0; i < index.size() * w; ++i) {
    const std::size_t at = static_cast<std::size_t>(index[i / w]) * w + i % w;
    total[at] += from[at];
  }
  return std::max(error_of(y,
                           [&](std::size_t i) {
                             return from[static_cast<std::size_t>(index[i / w]) * w + i % w];
                           }),
                  error_of(sums, [&](std::size_t i) { return total[i]; }));
}

}  // namespace examples

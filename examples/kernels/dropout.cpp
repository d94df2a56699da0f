#include "eflow/examples/kernels/example.hpp"

namespace examples {

double dropout(const DevicePtr& device, DType dtype) {
  const Index samples = 3, count = 3000, per_block = 1024;
  const float p = 0.25f;
  const Kernel kernel(device, "dropout.h", "dropout<$t0>", dtype);
  const Tensor x = random({samples, count}, dtype, device, 1);
  const Tensor y = Tensor::empty({samples, count}, dtype, device);
  const Tensor dx = Tensor::empty({samples, count}, dtype, device);
  DropoutArgs args{x.data(), y.data(), count, per_block, p, 7, 11};
  const eflow::jit::Grid grid{.x = blocks(count, per_block), .y = samples};
  kernel(grid, args);
  args.y = dx.data();  // the gradient of the sum of y x: the same numbers are dropped
  kernel(grid, args);

  const auto in = x.to_vector<double>(), out = y.to_vector<double>();
  Index dropped = 0;
  for (std::size_t i = 0; i < in.size(); ++i) dropped += out[i] == 0 && in[i] != 0;
  const double share = static_cast<double>(dropped) / static_cast<double>(in.size());
  if (std::abs(share - static_cast<double>(p)) > 0.02) return share;
  const double kept = 1 / (1 - static_cast<double>(p));
  return std::max(error_of(y, [&](std::size_t i) { return out[i] == 0 ? 0 : in[i] * kept; }),
                  error_of(dx, [&](std::size_t i) { return out[i]; }));
}

}  // namespace examples

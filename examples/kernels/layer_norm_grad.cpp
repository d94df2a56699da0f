#include "eflow/examples/kernels/example.hpp"

namespace examples {

double layer_norm_grad(const DevicePtr& device, DType dtype) {
  const Index rows = 37, width = 200, per_block = 8;
  const Kernel of_rows(device, "layer_norm_grad.h", "layer_norm_grad<$t0>", dtype);
  const Kernel sum_parts(device, "layer_norm_grad.h", "layer_norm_sum_parts<$t0>", dtype);
  const auto made = [&](const eflow::Shape& s, unsigned seed) {
    return random(s, dtype, device, seed);
  };
  const Tensor x = made({rows, width}, 1), dy = made({rows, width}, 2), f = made({width}, 3);
  const Tensor dx = made({rows, width}, 4), df = made({width}, 5), d_o = made({width}, 6);
  const auto in = x.to_vector<double>(), g = dy.to_vector<double>(), w = f.to_vector<double>();
  std::vector<float> mean, rstd;  // as layer_norm stored them
  std::vector<double> dx64(in.size()), df64(w.size()), do64(w.size());
  const double count = static_cast<double>(width);
  for (std::size_t at = 0; at < in.size(); at += w.size()) {
    double m = 0, v = 0, mean_g = 0, mean_gx = 0;
    for (std::size_t i = 0; i < w.size(); ++i) m += in[at + i] / count;
    for (std::size_t i = 0; i < w.size(); ++i) v += (in[at + i] - m) * (in[at + i] - m) / count;
    const double r = 1 / std::sqrt(v + 1e-5);
    mean.push_back(static_cast<float>(m));
    rstd.push_back(static_cast<float>(r));
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double xhat = (in[at + i] - m) * r;
      mean_g += g[at + i] * w[i] / count;
      mean_gx += g[at + i] * w[i] * xhat / count;
      df64[i] += g[at + i] * xhat;
      do64[i] += g[at + i];
    }
    for (std::size_t i = 0; i < w.size(); ++i)
      dx64[at + i] = r * (g[at + i] * w[i] - mean_g - (in[at + i] - m) * r * mean_gx);
  }
  const Tensor means = Tensor::from(mean, {rows}, device),
               rstds = Tensor::from(rstd, {rows}, device);
  const Tensor parts = Tensor::empty({blocks(rows, per_block), 2, width}, DType::kF32, device);
  const LayerNormGradArgs args{x.data(),     dy.data(), f.data(),  means.data(),
                               rstds.data(), dx.data(), df.data(), d_o.data(),
                               parts.data(), rows,      width,     per_block};
  of_rows({.x = blocks(rows, per_block)}, args);
  sum_parts({.x = 1}, args);
  return std::max({error_of(dx, [&](std::size_t i) { return dx64[i]; }),
                   error_of(df, [&](std::size_t i) { return df64[i]; }),
                   error_of(d_o, [&](std::size_t i) { return do64[i]; })});
}

}  // namespace examples

#pragma once
// Fused attention on one device, forward and backward, against its composition of plain ops on the CPU in f64.

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <ostream>

#include "eflow/core/glga.hpp"
#include "support/default_device.hpp"
#include "support/op_check.hpp"

namespace eflow::test {

struct GlgaCase {
  DType dtype;
  std::int64_t samples, tokens, heads, head, radius;
  int kept_percent = 0;  ///< 0: all tokens are there
  GlgaOptions::Local local = GlgaOptions::Local::kWindow;
  bool global = true;
  double tolerance = 5e-3;  ///< of the largest value of a tensor
};

inline std::ostream& operator<<(std::ostream& out, const GlgaCase& c) {
  return out << c.dtype << ", " << c.samples << " x " << c.tokens << " tokens, " << c.heads << " x "
             << c.head << " channels, radius " << c.radius << ", kept " << c.kept_percent
             << " %, local " << static_cast<int>(c.local) << ", global " << c.global;
}

/// Output and six gradients.
inline std::vector<Values> run_glga(const DevicePtr& device, DType dtype, const GlgaCase& c,
                                    bool fused) {
  GlgaOptions options{.local = c.local, .global = c.global, .radius = c.radius};
  if (c.kept_percent > 0) {
    options.kept_percent = c.kept_percent;
    const std::int64_t apart = 100 / c.kept_percent;
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < c.samples * c.tokens; ++i)
      positions.push_back(i % c.tokens * apart + i / c.tokens % apart);
    options.positions = Tensor::from(positions, {c.samples, c.tokens}, device);
  }
  const Shape rows{c.samples, c.tokens, c.heads, c.head}, weights{c.heads * c.head};
  const Shape shapes[] = {rows, rows, rows, {c.samples, c.tokens, 2, 1, 1}, weights, weights};
  Tensors x;
  for (std::uint32_t i = 0; i < 6; ++i) {
    std::vector<double> values(static_cast<std::size_t>(element_count(shapes[i])));
    for (std::size_t j = 0; j < values.size(); ++j)
      values[j] = std::sin(1.7 * static_cast<double>(j) + i) * 0.8 + (i > 3 ? 1 : 0);
    const NoGrad off;
    // Rounded as the narrow type rounds, for both sides.
    const Tensor rounded = cast(Tensor::from(values, shapes[i], device), c.dtype);
    x.push_back(cast(rounded, dtype).detach());
    x.back().set_requires_grad();
  }
  if (fused) BOOST_REQUIRE(prepare_glga(x[0], x[3], options, true));
  const Tensor y = fused ? glga(x[0], x[1], x[2], x[3], x[4], x[5], options)
                         : glga_composition(x[0], x[1], x[2], x[3], x[4], x[5], options);
  backward(sum(square(y)));
  std::vector<Values> out{y.to_vector<double>()};
  // What has no part in the result has no gradient.
  for (const Tensor& t : x)
    out.push_back(t.grad().defined() ? t.grad().to_vector<double>() : Values());
  return out;
}

inline void check_fused_glga(const DevicePtr& device, const GlgaCase& c) {
  const auto expected = run_glga(default_device(), DType::kF64, c, false);
  const DefaultDevice here(device);
  const auto found = run_glga(device, c.dtype, c, true);
  BOOST_TEST_CONTEXT(c) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      BOOST_REQUIRE(found[i].size() == expected[i].size());
      if (expected[i].empty()) continue;
      const Difference d = difference(found[i], expected[i]);
      BOOST_TEST(d.largest <= c.tolerance * d.scale,
                 "tensor " << i << " differs by " << d.largest << " of " << d.scale);
    }
  }
}

}  // namespace eflow::test

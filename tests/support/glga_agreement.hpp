#pragma once
// Compares fused attention on one device, forward and backward, with its composition of plain ops
// on the CPU in f64.

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <ostream>

#include "eflow/core/attention/glga.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/op_check.hpp"

namespace eflow::test {

struct GlgaCase {
  DType dtype;
  std::int64_t samples, tokens, heads, head, radius;
  int kept_percent = 0;  ///< 0: no tokens are dropped
  GlgaOptions::Local local = GlgaOptions::Local::kWindow;
  bool global = true;
  double tolerance = 5e-3;  ///< relative to the largest value of a tensor
  /// Extra channels per row beyond q, k and v, which then are views of one tensor; negative: three
  /// separate tensors.
  std::int64_t spare = -1;
  GlgaGateKind gates = GlgaGateKind::kRow;  ///< kRow: one per token
  bool normed = true;
};

inline std::ostream& operator<<(std::ostream& out, const GlgaCase& c) {
  return out << c.dtype << ", " << c.samples << " x " << c.tokens << " tokens, " << c.heads << " x "
             << c.head << " channels, radius " << c.radius << ", kept " << c.kept_percent
             << " %, local " << static_cast<int>(c.local) << ", global " << c.global << ", spare "
             << c.spare << ", gates " << static_cast<int>(c.gates) << ", normed " << c.normed;
}

inline GlgaOptions options_of(const GlgaCase& c, const DevicePtr& device) {
  GlgaOptions options{.local = c.local, .global = c.global, .normed = c.normed, .radius = c.radius};
  if (c.kept_percent == 0) return options;
  options.kept_percent = c.kept_percent;
  const std::int64_t apart = 100 / c.kept_percent;
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < c.samples * c.tokens; ++i)
    positions.push_back(i % c.tokens * apart + i / c.tokens % apart);
  options.positions = Tensor::from(positions, {c.samples, c.tokens}, device);
  return options;
}

/// q, k, v, or the tensor that contains them.
inline std::vector<Shape> shapes_of_qkv(const GlgaCase& c) {
  if (c.spare < 0) return std::vector<Shape>(3, {c.samples, c.tokens, c.heads, c.head});
  return {{c.samples, c.tokens, 3 * c.heads * c.head + c.spare}};
}
inline Tensors split_qkv(const GlgaCase& c, const Tensors& x) {
  if (c.spare < 0) return {x[0], x[1], x[2]};
  const Tensor rows = narrow(x[0], 2, 0, 3 * c.heads * c.head);
  Tensors parts = split(rows, std::vector<std::int64_t>(3, c.heads * c.head), 2);
  for (Tensor& part : parts) part = reshape(part, {c.samples, c.tokens, c.heads, c.head});
  return parts;
}

/// Those, the gates and the weights of both norms; without gates or norms, fewer.
inline std::vector<Shape> shapes_of_inputs(const GlgaCase& c) {
  std::vector<Shape> shapes = shapes_of_qkv(c);
  if (c.gates == GlgaGateKind::kRow) shapes.push_back({c.samples, c.tokens, 2, 1, 1});
  if (c.gates == GlgaGateKind::kChannel)
    shapes.push_back({c.samples, c.tokens, 2, c.heads, c.head});
  if (c.normed) shapes.insert(shapes.end(), 2, {c.heads * c.head});
  return shapes;
}

/// The output and all gradients.
inline std::vector<Values> run_glga(const DevicePtr& device, DType dtype, const GlgaCase& c,
                                    bool fused) {
  const GlgaOptions options = options_of(c, device);
  const std::vector<Shape> shapes = shapes_of_inputs(c);
  const std::size_t gates = shapes_of_qkv(c).size(),
                    weights = gates + (c.gates == GlgaGateKind::kNone ? 0 : 1);
  Tensors x;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    std::vector<double> values(static_cast<std::size_t>(element_count(shapes[i])));
    for (std::size_t j = 0; j < values.size(); ++j)
      values[j] = std::sin(1.7 * static_cast<double>(j) + static_cast<double>(i)) * 0.8 +
                  (i >= weights ? 1 : 0);
    const NoGrad off;
    // Rounded to the narrow type, for both sides.
    const Tensor rounded = cast(Tensor::from(values, shapes[i], device), c.dtype);
    x.push_back(cast(rounded, dtype).detach());
    x.back().set_requires_grad();
  }
  const Tensors qkv = split_qkv(c, x);
  const Tensor gate = weights > gates ? x[gates] : Tensor();
  if (fused) BOOST_REQUIRE(prepare_glga(qkv[0], gate, options, true));
  const auto op = fused ? glga : glga_composition;
  const Tensor y = op(qkv[0], qkv[1], qkv[2], gate, c.normed ? x[weights] : Tensor(),
                      c.normed ? x[weights + 1] : Tensor(), options);
  backward(sum(square(y)));
  std::vector<Values> out{y.to_vector<double>()};
  // Inputs that do not contribute to the result have no gradient.
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

/// The same for a few small cases on a stand-in for a GPU, which must have run kernels for each.
template <class Gpu>
void check_small_fused_glga(const Gpu& gpu) {
  for (GlgaCase c : {GlgaCase{.dtype = DType::kF32, .tolerance = 5e-3},
                     GlgaCase{.dtype = DType::kF32, .kept_percent = 25, .tolerance = 5e-3},
                     GlgaCase{.dtype = DType::kBF16, .tolerance = 6e-2}}) {
    c.samples = c.heads = 2;
    c.tokens = 150;
    c.head = 16;
    c.radius = 40;
    const long long before = gpu.launches();
    check_fused_glga(gpu.device(), c);
    BOOST_TEST(gpu.launches() > before);
  }
}

}  // namespace eflow::test

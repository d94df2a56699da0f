// Fused attention on an emulated GPU, forward and backward: its kernels' launches as core makes them, tiles, grids and shared
// memory, against the composition of plain ops on the CPU.
#define BOOST_TEST_MODULE cuda_glga
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/glga.hpp"
#include "support/emulated_gpu.hpp"
#include "support/op_check.hpp"

using namespace eflow;

namespace {

constexpr std::int64_t kSamples = 2, kTokens = 150, kHeads = 2, kHead = 16;

struct Case {
  DType dtype;
  bool kept;
  double tolerance;
};

/// Output and six gradients.
std::vector<test::Values> run(const DevicePtr& device, DType dtype, const Case& c, bool fused) {
  GlgaOptions options{.radius = 40};
  if (c.kept) {
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < kSamples * kTokens; ++i)
      positions.push_back(i % kTokens * 4 + i / kTokens);
    options.positions = Tensor::from(positions, {kSamples, kTokens}, device);
  }
  const Shape shapes[] = {{kSamples, kTokens, kHeads, kHead},
                          {kSamples, kTokens, kHeads, kHead},
                          {kSamples, kTokens, kHeads, kHead},
                          {kSamples, kTokens, 2, 1, 1},
                          {kHeads * kHead},
                          {kHeads * kHead}};
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
  std::vector<test::Values> out{y.to_vector<double>()};
  for (const Tensor& t : x) out.push_back(t.grad().to_vector<double>());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(fused_attention_is_its_composition) {
  const test::EmulatedGpu gpu;
  const DevicePtr cpu = default_device();
  for (const Case& c : {Case{DType::kF32, false, 5e-3}, Case{DType::kF32, true, 5e-3},
                        Case{DType::kBF16, false, 6e-2}}) {
    const auto expected = run(cpu, DType::kF64, c, false);
    const test::DefaultDevice here(gpu.device());
    const long long before = gpu.launches();
    const auto found = run(gpu.device(), c.dtype, c, true);
    BOOST_TEST_CONTEXT(c.dtype << (c.kept ? ", kept" : ", dense")) {
      BOOST_TEST(gpu.launches() > before);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const test::Difference d = test::difference(found[i], expected[i]);
        BOOST_TEST(d.largest <= c.tolerance * d.scale,
                   "tensor " << i << " differs by " << d.largest << " of " << d.scale);
      }
    }
  }
}

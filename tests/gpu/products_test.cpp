// On a real GPU: after tuning among cuBLASLt's algorithms, the products of a linear layer still
// agree with the CPU.
#define BOOST_TEST_MODULE gpu_products
#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tuning/tunable_kernels.hpp"
#include "eflow/core/tuning/tunable_products.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/tuner.hpp"
#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/op_check.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/tolerance.hpp"

using namespace eflow;
using test::GpuOrSkip;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

namespace {

constexpr std::int64_t kRows = 1000, kIn = 384, kOut = 1152;

jit::Options options_in(const test::TempDir& dir) {
  jit::Options options = test::gpu()->runtime().options();
  options.cache.named = dir / "cache";
  options.tune = jit::TuneMode::kLookup;
  return options;
}

void tune(const jit::Options& options, DType dtype) {
  const jit::TunableKernel product = detail::tunable_product();
  const auto one = [&](bool a_transposed, bool b_transposed, ProductEnd end,
                       const std::vector<std::int64_t>& sizes) {
    jit::Runtime runtime(options);
    const jit::KernelRef kernel = product_kernel(dtype, dtype, a_transposed, b_transposed, end);
    jit::TuneOptions how;
    how.race.budget_seconds = 2;
    const jit::TuneOutcome out =
        jit::tune(runtime, kernel, product.workload(runtime, kernel.spec, sizes), how);
    const auto& configs = out.record.configs;
    for (std::size_t i = 0; i < configs.size(); ++i) {
      const jit::ConfigRecord& c = configs[i];
      const bool best = static_cast<int>(i) == out.record.best;
      const double us = c.us.empty() ? 0 : jit::median_interval(c.us).median;
      BOOST_TEST_MESSAGE((best ? "* " : "  ")
                         << c.label << ": " << name_of(c.state) << ", " << us << " us " << c.why);
      if (best || i == 0) BOOST_TEST((c.state == jit::ConfigState::kOk), c.label << " " << c.why);
    }
  };
  one(false, true, ProductEnd::kBias, {kRows, kOut, kIn, 1});
  one(false, false, ProductEnd::kPlain, {kRows, kIn, kOut, 1});
  one(true, false, ProductEnd::kPlain, {kOut, kIn, kRows, 1});
}

/// y = x w^T + b and its gradients.
std::vector<test::Values> linear_on(const DevicePtr& device, DType dtype, DType compute) {
  const test::DefaultDevice here(device);
  Tensors x;
  for (const Shape& shape : {Shape{kRows, kIn}, Shape{kOut, kIn}, Shape{kOut}}) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(
          std::sin(1.7 * static_cast<double>(i) + static_cast<double>(x.size())));
    const NoGrad off;
    x.push_back(cast(cast(Tensor::from(values, shape, device), dtype), compute).detach());
    x.back().set_requires_grad();
  }
  const Tensor y = linear(x[0], x[1], x[2]);
  backward(sum(square(y)));
  std::vector<test::Values> out{y.to_vector<double>()};
  for (const Tensor& t : x) out.push_back(t.grad().to_vector<double>());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(tuned_products_agree_with_the_cpu) {
  for (const auto& [dtype, tolerance] : {std::pair{DType::kF32, 5e-3}, {DType::kBF16, 4e-2}}) {
    const test::TempDir dir;
    tune(options_in(dir), dtype);
    const auto expected = linear_on(default_device(), dtype, DType::kF64);
    const auto found = linear_on(make_device(options_in(dir)), dtype, dtype);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const test::Difference d = test::difference(found[i], expected[i]);
      BOOST_TEST(d.largest <= tolerance * d.scale,
                 dtype << ": tensor " << i << " differs by " << d.largest << " of " << d.scale);
    }
  }
}

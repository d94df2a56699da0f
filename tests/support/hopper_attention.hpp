#pragma once
// Attention out of one tensor of q, k and v, in a config that stands in the tuning database although nobody timed it: so that
// configs which are not the default run, on an emulated GPU and on a real one.

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/glga.hpp"
#include "eflow/core/ops/glga_kernels.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tuning_database.hpp"
#include "support/default_device.hpp"
#include "support/op_check.hpp"
#include "support/temp_dir.hpp"

namespace eflow::test {

/// On two samples of two heads, with a window of 40 to either side.
struct AttentionCase {
  static constexpr std::int64_t kSamples = 2, kTokens = 150, kHeads = 2, kRadius = 40;
  DType dtype;
  std::int64_t head;
  bool kept;           ///< a quarter of the tokens is there
  std::int64_t spare;  ///< channels of a row beyond q, k and v
  double tolerance;
};

/// Heads whose default tiles the tuner may choose, in bf16, and up to the widest in f32.
inline constexpr std::int64_t kHopperHeads[] = {24, 64, 72, 96, 128, 192, 256}, kWidestInF32 = 128;

inline GlgaOptions options_of(const AttentionCase& c, const DevicePtr& device) {
  GlgaOptions options{.radius = c.kRadius};
  if (!c.kept) return options;
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < c.kSamples * c.kTokens; ++i)
    positions.push_back(i % c.kTokens * 4 + i / c.kTokens);
  options.positions = Tensor::from(positions, {c.kSamples, c.kTokens}, device);
  return options;
}

/// Makes the default tiles, with a warpgroup's products where tiles are of whole groups of rows, and with or without bulk
/// copies, what was tuned for the walks of such a call; their Specs.
inline std::vector<jit::Spec> choose_hopper_configs(jit::Runtime& runtime, const AttentionCase& c,
                                                    bool bulk) {
  const GlgaSignature call{.backend = jit::Backend::kCuda,
                           .dtype = c.dtype,
                           .head = c.head,
                           .gates = GlgaGateKind::kRow,
                           .kept = c.kept,
                           .queries = c.kTokens};
  const GlgaOptions options{.radius = c.kRadius};
  std::vector<jit::Spec> out;
  const jit::TuningDatabase database(runtime.builder().disk()->options().root);
  for (const jit::KernelRef& kernel : glga_kernels(call, options, true)) {
    const jit::ConfigSpace space = runtime.builder().definitions().space(kernel.name);
    if (space.tunables.back().name != "bulk_copies") continue;
    jit::Spec best = kernel.spec;
    best.constants[9] = 1;
    best.constants[10] = bulk ? 1 : 0;
    if (!space.fits(best, runtime.limits())) best.constants[9] = 0;
    BOOST_REQUIRE_MESSAGE(space.contains(best, runtime.limits()), to_string(best, kernel.name));
    const jit::BuildRequest request = runtime.builder().request(kernel, runtime.target());
    jit::TuningRecord record;
    record.key = {{kernel.name, space.without_config(kernel.spec)},
                  detail::glga_walk_shape(call, options),
                  runtime.limits().name,
                  runtime.limits().arch};
    record.text = to_hex(request.texts->content);
    record.toolchain = request.toolchain;
    for (const jit::Tunable& t : space.tunables) record.tunables.push_back(t.name);
    record.configs = {{.values = space.values_of(best),
                       .state = jit::ConfigState::kOk,
                       .tries = 1,
                       .why = "",
                       .us = {1}}};
    record.finished = true;
    database.put(record);
    out.push_back(best);
  }
  return out;
}

/// Output and gradients of qkv, gates and both factors.
inline std::vector<Values> attend(const DevicePtr& device, DType dtype, const AttentionCase& c,
                                  bool fused) {
  const GlgaOptions options = options_of(c, device);
  const std::int64_t samples = c.kSamples, tokens = c.kTokens, heads = c.kHeads,
                     width = heads * c.head;
  const Shape shapes[] = {
      {samples, tokens, 3 * width + c.spare}, {samples, tokens, 2, 1, 1}, {width}, {width}};
  Tensors x;
  for (std::uint32_t i = 0; i < 4; ++i) {
    std::vector<double> values(static_cast<std::size_t>(element_count(shapes[i])));
    for (std::size_t j = 0; j < values.size(); ++j)
      values[j] = std::sin(1.7 * static_cast<double>(j) + i) * 0.8 + (i > 1 ? 1 : 0);
    const NoGrad off;
    // Rounded as the narrow type rounds, for both sides.
    const Tensor rounded = cast(Tensor::from(values, shapes[i], device), c.dtype);
    x.push_back(cast(rounded, dtype).detach());
    x.back().set_requires_grad();
  }
  Tensors qkv;
  for (std::int64_t i = 0; i < 3; ++i)
    qkv.push_back(reshape(narrow(x[0], 2, i * width, width), {samples, tokens, heads, c.head}));
  if (fused) BOOST_REQUIRE(prepare_glga(qkv[0], x[1], options, true));
  const auto op = fused ? glga : glga_composition;
  const Tensor y = op(qkv[0], qkv[1], qkv[2], x[1], x[2], x[3], options);
  backward(sum(square(y)));
  std::vector<Values> out{y.to_vector<double>()};
  for (const Tensor& t : x) out.push_back(t.grad().to_vector<double>());
  return out;
}

/// Runs the case fused on the device that `options` names, in those configs, and on the CPU composed in f64; both have to
/// agree.
inline void check_hopper_configs(jit::Options options, const AttentionCase& c, bool bulk) {
  const TempDir cache;
  options.cache.named = cache.path();
  options.tune = jit::TuneMode::kLookup;
  const DevicePtr device = make_device(options);
  const std::vector<jit::Spec> chosen = choose_hopper_configs(device->runtime(), c, bulk);
  BOOST_TEST(chosen.size() == 3);
  const auto expected = attend(default_device(), DType::kF64, c, false);
  const DefaultDevice here(device);
  const auto found = attend(device, c.dtype, c, true);
  BOOST_TEST_CONTEXT(c.dtype << ", head " << c.head << (c.kept ? ", kept" : ", dense")
                             << (bulk ? ", bulk copies" : "")) {
    for (const jit::Spec& spec : chosen) BOOST_TEST(device->runtime().has(spec));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const Difference d = difference(found[i], expected[i]);
      BOOST_TEST(d.largest <= c.tolerance * d.scale,
                 "tensor " << i << " differs by " << d.largest << " of " << d.scale);
    }
  }
}

}  // namespace eflow::test

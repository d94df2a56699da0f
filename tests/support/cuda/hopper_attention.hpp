#pragma once
// Attention on q, k and v views of one tensor, with the configs of sm_90a.

#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/cuda/hopper_configs.hpp"
#include "eflow/tests/support/glga_agreement.hpp"
#include "eflow/tests/support/temp_dir.hpp"

namespace eflow::test {

/// Two samples of two heads, q, k and v in one tensor, radius 40.
inline GlgaCase hopper_case(DType dtype, std::int64_t head, bool kept, std::int64_t spare) {
  return {.dtype = dtype,
          .samples = 2,
          .tokens = 150,
          .heads = 2,
          .head = head,
          .radius = 40,
          .kept_percent = kept ? 25 : 0,
          .tolerance = dtype == DType::kBF16 ? 6e-2 : 5e-3,
          .spare = spare};
}

/// Head widths whose default tiles the tuner may choose: bf16, and f32 up to the widest.
inline constexpr std::int64_t kHopperHeads[] = {24, 64, 72, 96, 128, 192, 256}, kWidestInF32 = 128;

/// choose_hopper_configs() for a case.
inline std::vector<jit::KernelSpec> choose_hopper_configs(jit::Runtime& runtime, const GlgaCase& c,
                                                          bool bulk) {
  const GlgaSignature call{.backend = jit::Backend::kCuda,
                           .dtype = c.dtype,
                           .head = c.head,
                           .gates = GlgaGateKind::kRow,
                           .kept = c.kept_percent > 0,
                           .queries = c.tokens};
  return choose_hopper_configs(runtime, call, {.radius = c.radius}, bulk);
}

/// Runs the case fused on the device that `options` names with those configs, and composed on the
/// CPU in f64; both must agree.
inline void check_hopper_configs(jit::Options options, const GlgaCase& c, bool bulk) {
  const TempDir cache;
  options.cache.named = cache.path();
  options.tune = jit::TuneMode::kLookup;
  const DevicePtr device = make_device(options);
  const std::vector<jit::KernelSpec> chosen = choose_hopper_configs(device->runtime(), c, bulk);
  BOOST_TEST(chosen.size() == 3);
  check_fused_glga(device, c);
  for (const jit::KernelSpec& spec : chosen) BOOST_TEST(device->runtime().has(spec), c);
}

}  // namespace eflow::test

#pragma once
// Attention on q, k and v views of one tensor, with tile configs written into the tuning database
// without timing, so that non-default configs run on an emulated GPU and on a real one.

#include <boost/test/unit_test.hpp>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/glga_kernels.hpp"
#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
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

/// Records the default tiles as the tuned ones for the walks of such a call, with warpgroup
/// products if the tile rows allow them, and with or without bulk copies. Returns their Specs.
inline std::vector<jit::KernelSpec> choose_hopper_configs(jit::Runtime& runtime, const GlgaCase& c,
                                                          bool bulk) {
  const GlgaSignature call{.backend = jit::Backend::kCuda,
                           .dtype = c.dtype,
                           .head = c.head,
                           .gates = GlgaGateKind::kRow,
                           .kept = c.kept_percent > 0,
                           .queries = c.tokens};
  const GlgaOptions options{.radius = c.radius};
  std::vector<jit::KernelSpec> out;
  const jit::TuningDatabase database(runtime.builder().disk()->options().root);
  for (const jit::KernelRef& kernel : glga_kernels(call, options, true)) {
    const jit::ConfigSpace space = runtime.builder().definitions().space(kernel.name);
    if (space.tunables.back().name != "bulk_copies") continue;
    jit::KernelSpec best = kernel.spec;
    using eflow::detail::GlgaConstant;
    best.constants[GlgaConstant::kWarpgroups] = 1;
    best.constants[GlgaConstant::kBulkCopies] = bulk ? 1 : 0;
    if (!space.fits(best, runtime.limits())) best.constants[GlgaConstant::kWarpgroups] = 0;
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

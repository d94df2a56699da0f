#pragma once
// The configs of sm_90a for attention, written into the tuning database without timing, so that
// configs that are no defaults run on a GPU that is emulated, interpreted or real.

#include <vector>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/glga_kernels.hpp"
#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::test {

/// Rows and keys of a tile.
struct TileSize {
  std::int64_t rows = 0, keys = 0;
};

/// Records configs as the tuned ones for the walks of such a call: with warpgroup products if the
/// tile rows allow them, and with or without bulk copies. Tiles are of this size where the tuner may
/// choose it, and otherwise the default ones. Returns their Specs.
inline std::vector<jit::KernelSpec> choose_hopper_configs(jit::Runtime& runtime,
                                                          const GlgaSignature& call,
                                                          const GlgaOptions& options, bool bulk,
                                                          const TileSize& tile = {}) {
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
    jit::KernelSpec sized = best;
    sized.constants[GlgaConstant::kRows] = static_cast<int>(tile.rows);
    sized.constants[GlgaConstant::kKeys] = static_cast<int>(tile.keys);
    if (space.contains(sized, runtime.limits())) best = sized;
    if (!space.contains(best, runtime.limits()))
      throw InvalidArgument("no config of the tuner: " + to_string(best, kernel.name));
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

}  // namespace eflow::test

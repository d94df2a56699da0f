#pragma once
// The config spaces of the glga kernels: tile sizes (queries and keys, or tokens of the state
// kernel) and, on sm_90a, warpgroup products and bulk copies. The default is the caller's, because
// it depends on the number of keys that a query sees, which is not in the KernelSpec. Internal to jit.

#include <algorithm>

#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/jit/kernel/config_space.hpp"

namespace eflow::detail {

/// Registers per GPU thread, of 255, that may hold accumulators.
inline constexpr std::int64_t kRegistersForSums = 200;

/// The accumulators that a kernel holds at once: tiles of a head's channels and tiles of scores.
/// Their rows are queries or, if `across_keys`, keys.
struct GlgaHolds {
  int channels, scores;
  bool across_keys;
};

/// Whether accumulators fit the registers and tiles fit shared memory. Each of the 4 warps owns
/// every fourth strip of 16 rows; a thread holds half of each column of a strip.
inline bool glga_fits_gpu(const GlgaFootprint& t, const GlgaHolds& holds, std::int64_t bytes,
                          const jit::DeviceLimits& limits) {
  const std::int64_t across = holds.across_keys ? t.keys : t.rows,
                     along = holds.across_keys ? t.rows : t.keys;
  const std::int64_t strips = (across + 63) / 64, wide = t.together() ? holds.channels : 1;
  const std::int64_t numbers = strips * (wide * t.head + holds.scores * along) / 2;
  return bytes <= limits.block_bytes && numbers <= kRegistersForSums;
}

/// Whether operands and accumulators stay within 3/4 of a core's L2 cache, and everything fits the
/// block's scratch.
inline bool glga_fits_cpu(const GlgaFootprint& t, const GlgaHolds& holds,
                          const jit::DeviceLimits& limits) {
  const std::int64_t sum = std::max<std::int64_t>(t.element, 4);
  const std::int64_t across = holds.across_keys ? t.keys : t.rows;
  const std::int64_t operands = (3 * t.keys + 4 * t.rows) * t.head + 2 * t.rows * t.keys;
  const std::int64_t sums = holds.channels * across * t.head + holds.scores * t.rows * t.keys;
  const bool in_cache = t.element * operands + sum * sums <= limits.l2_bytes * 3 / 4;
  return in_cache && sum * (operands + 2 * t.head * t.head) <= limits.block_bytes && t.rows >= 32 &&
         t.rows != 48 && t.keys >= 32;
}

/// Accepts warpgroup products only where they change the kernel: bf16 on sm_90a with whole groups
/// of 64 rows.
inline bool glga_has_warpgroups(const jit::KernelSpec& spec, const GlgaFootprint& t,
                                const GlgaHolds& holds, const jit::DeviceLimits& limits) {
  const bool for_them = limits.arch == "sm_90a" && t.element == 2;
  return spec.constants[GlgaConstant::kWarpgroups] == 0 ||
         (for_them && (holds.across_keys ? t.keys : t.rows) % 64 == 0);
}

/// Shared memory for the barriers of bulk copies (kMostStages in cuda/matrix_tile.h), rounded up to
/// the tile alignment.
inline constexpr std::int64_t kCopyBarrierBytes = 128;
/// Accepts bulk copies only on sm_90a.
inline bool glga_has_bulk_copies(const jit::KernelSpec& spec, const GlgaFootprint& t,
                                 const jit::DeviceLimits& limits) {
  return spec.constants[GlgaConstant::kBulkCopies] == 0 ||
         (limits.arch == "sm_90a" && t.element <= 4);
}

/// The `fits` function of a kernel, given its shared memory and its GlgaHolds.
template <std::int64_t (*kBytes)(const jit::KernelSpec&), int kChannels, int kScores,
          bool kAcrossKeys>
bool glga_config_fits(const jit::KernelSpec& spec, const jit::DeviceLimits& limits) {
  const GlgaFootprint tiles(spec);
  const GlgaHolds holds{kChannels, kScores, kAcrossKeys};
  if (!glga_has_warpgroups(spec, tiles, holds, limits)) return false;
  if (!glga_has_bulk_copies(spec, tiles, limits)) return false;
  const std::int64_t barriers =
      spec.constants[GlgaConstant::kBulkCopies] != 0 ? kCopyBarrierBytes : 0;
  return limits.arch.starts_with("sm_")
             ? glga_fits_gpu(tiles, holds, kBytes(spec) + barriers, limits)
             : glga_fits_cpu(tiles, holds, limits);
}

inline bool glga_state_fits(const jit::KernelSpec& spec, const jit::DeviceLimits& limits) {
  return limits.arch.starts_with("sm_") ? glga_state_bytes(spec) <= limits.block_bytes
                                        : spec.constants[1] >= 32;
}

using FitsConfig = bool (*)(const jit::KernelSpec&, const jit::DeviceLimits&);

inline jit::ConfigSpace glga_tiles(FitsConfig fits) {
  return {.tunables = {{"rows", GlgaConstant::kRows, {16, 32, 48, 64, 96, 128}},
                       {"keys", GlgaConstant::kKeys, {16, 32, 64, 96, 128}},
                       {"warpgroups", GlgaConstant::kWarpgroups, {0, 1}}},
          .default_is_the_callers = true,
          .fits = fits};
}
/// For the kernels that iterate over the window.
inline jit::ConfigSpace glga_walk_tiles(FitsConfig fits) {
  jit::ConfigSpace out = glga_tiles(fits);
  out.tunables.push_back({"bulk_copies", GlgaConstant::kBulkCopies, {0, 1}});
  return out;
}
/// For kernels without a tile of keys.
inline jit::ConfigSpace glga_row_tiles(FitsConfig fits) {
  return {.tunables = {{"rows", GlgaConstant::kRows, {16, 32, 48, 64, 96, 128}},
                       {"warpgroups", GlgaConstant::kWarpgroups, {0, 1}}},
          .default_is_the_callers = true,
          .fits = fits};
}
inline jit::ConfigSpace glga_state_tiles() {
  return {.tunables = {{"tokens", 1, {16, 32, 64, 128}}},
          .default_is_the_callers = true,
          .fits = glga_state_fits};
}

}  // namespace eflow::detail

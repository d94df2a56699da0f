#pragma once
// What the tuner may choose for the glga texts: the queries and keys of a tile, or tokens of the state's; and, on sm_90a,
// products by warpgroups and loads by bulk copies. The default is the caller's: it follows from how many keys a query sees,
// which a Spec does not know. Internal to jit.

#include <algorithm>

#include "eflow/jit/config_space.hpp"
#include "eflow/jit/tile_bytes.hpp"

namespace eflow::jit::detail {

/// Registers of a thread that sums may take on a GPU, of 255.
inline constexpr std::int64_t kRegistersForSums = 200;

/// What a text holds at once: tiles of sums of a head's channels, and of scores; across their rows are queries, or keys.
struct GlgaHolds {
  int channels, scores;
  bool across_keys;
};

/// One of four warps has every fourth strip of 16 rows, of which a thread has a half of each column.
inline bool glga_fits_gpu(const GlgaTiles& t, const GlgaHolds& holds, std::int64_t bytes,
                          const DeviceLimits& limits) {
  const std::int64_t across = holds.across_keys ? t.keys : t.rows,
                     along = holds.across_keys ? t.rows : t.keys;
  const std::int64_t strips = (across + 63) / 64, wide = t.together() ? holds.channels : 1;
  const std::int64_t numbers = strips * (wide * t.head + holds.scores * along) / 2;
  return bytes <= limits.block_bytes && numbers <= kRegistersForSums;
}

/// Operands and sums of a step should stay in a core's second cache, and must fit a block's scratch.
inline bool glga_fits_cpu(const GlgaTiles& t, const GlgaHolds& holds, const DeviceLimits& limits) {
  const std::int64_t sum = std::max<std::int64_t>(t.element, 4);
  const std::int64_t across = holds.across_keys ? t.keys : t.rows;
  const std::int64_t operands = (3 * t.keys + 4 * t.rows) * t.head + 2 * t.rows * t.keys;
  const std::int64_t sums = holds.channels * across * t.head + holds.scores * t.rows * t.keys;
  const bool in_cache = t.element * operands + sum * sums <= limits.l2_bytes * 3 / 4;
  return in_cache && sum * (operands + 2 * t.head * t.head) <= limits.block_bytes && t.rows >= 32 &&
         t.rows != 48 && t.keys >= 32;
}

/// Warpgroups where they are asked for: of whole groups of 64 rows in bf16. Elsewhere the kernel would be the same.
inline bool glga_has_warpgroups(const Spec& spec, const GlgaTiles& t, const GlgaHolds& holds,
                                const DeviceLimits& limits) {
  const bool for_them = limits.arch == "sm_90a" && t.element == 2;
  return spec.constants[GlgaConstant::kWarpgroups] == 0 ||
         (for_them && (holds.across_keys ? t.keys : t.rows) % 64 == 0);
}

/// What barriers of bulk copies (kMostStages of matrix_tile_cuda.h) take of a block's shared memory, aligned as its tiles are.
inline constexpr std::int64_t kCopyBarrierBytes = 128;
/// Bulk copies where they are asked for.
inline bool glga_has_bulk_copies(const Spec& spec, const GlgaTiles& t, const DeviceLimits& limits) {
  return spec.constants[GlgaConstant::kBulkCopies] == 0 ||
         (limits.arch == "sm_90a" && t.element <= 4);
}

template <std::int64_t (*kBytes)(const Spec&), int kChannels, int kScores, bool kAcrossKeys>
bool glga_config_fits(const Spec& spec, const DeviceLimits& limits) {
  const GlgaTiles tiles(spec);
  const GlgaHolds holds{kChannels, kScores, kAcrossKeys};
  if (!glga_has_warpgroups(spec, tiles, holds, limits)) return false;
  if (!glga_has_bulk_copies(spec, tiles, limits)) return false;
  const std::int64_t barriers =
      spec.constants[GlgaConstant::kBulkCopies] != 0 ? kCopyBarrierBytes : 0;
  return limits.arch.starts_with("sm_")
             ? glga_fits_gpu(tiles, holds, kBytes(spec) + barriers, limits)
             : glga_fits_cpu(tiles, holds, limits);
}

inline bool glga_state_fits(const Spec& spec, const DeviceLimits& limits) {
  return limits.arch.starts_with("sm_") ? glga_state_bytes(spec) <= limits.block_bytes
                                        : spec.constants[1] >= 32;
}

using FitsConfig = bool (*)(const Spec&, const DeviceLimits&);

inline ConfigSpace glga_tiles(FitsConfig fits) {
  return {.tunables = {{"rows", GlgaConstant::kRows, {16, 32, 48, 64, 96, 128}},
                       {"keys", GlgaConstant::kKeys, {16, 32, 64, 96, 128}},
                       {"warpgroups", GlgaConstant::kWarpgroups, {0, 1}}},
          .default_is_the_callers = true,
          .fits = fits};
}
/// Of texts that walk over a window.
inline ConfigSpace glga_walk_tiles(FitsConfig fits) {
  ConfigSpace out = glga_tiles(fits);
  out.tunables.push_back({"bulk_copies", GlgaConstant::kBulkCopies, {0, 1}});
  return out;
}
inline ConfigSpace glga_row_tiles(FitsConfig fits) {
  return {.tunables = {{"rows", GlgaConstant::kRows, {16, 32, 48, 64, 96, 128}},
                       {"warpgroups", GlgaConstant::kWarpgroups, {0, 1}}},
          .default_is_the_callers = true,
          .fits = fits};
}
inline ConfigSpace glga_state_tiles() {
  return {.tunables = {{"tokens", 1, {16, 32, 64, 128}}},
          .default_is_the_callers = true,
          .fits = glga_state_fits};
}

}  // namespace eflow::jit::detail

#pragma once
// Shared memory per GPU block of the kernels with tiles. Mirrors what the kernel texts allocate
// from their arena. Internal to jit and to the code that chooses tiles.

#include <algorithm>
#include <string_view>

#include "eflow/core/base/dtype.hpp"
#include "eflow/jit/kernel/spec.hpp"

namespace eflow::detail {

/// Bytes of an STile (kernels_src/tile/cuda/matrix_tile.h), whose sides are rounded up to 16.
inline std::int64_t tile_bytes(std::int64_t rows, std::int64_t columns, std::int64_t element) {
  const auto whole = [](std::int64_t n) { return (n + 15) / 16 * 16; };
  return whole(rows) * whole(columns) * element;
}

/// Indices of a glga kernel's constants in its KernelSpec. For glga_state, the first two are the head
/// size and the tile of tokens.
struct GlgaConstant {
  enum : int {
    kHead,         ///< head size d
    kLocal,        ///< softmax branch: 0 none, 1 window, 2 all keys
    kGlobal,       ///< linear branch: 0, 1
    kGates,        ///< 0 none, 1 per row, 2 per channel
    kNormed,       ///< RMS norm after each branch: 0, 1
    kRadius,       ///< radius of the window; -1: passed as an argument
    kKeptPercent,  ///< percentage of tokens kept; 0: all
    kRows,         ///< queries per tile
    kKeys,         ///< keys per tile
    kWarpgroups,   ///< warpgroup products: 0, 1
    kBulkCopies,   ///< load tiles of the window by bulk copies: 0, 1
  };
};

/// The parameters that determine a glga kernel's shared memory.
struct GlgaFootprint {
  std::int64_t element, head, rows, keys;
  bool local, global;
  explicit GlgaFootprint(const jit::KernelSpec& s)
      : element(static_cast<std::int64_t>(size_of(static_cast<DType>(s.dtypes[0])))),
        head(s.constants[GlgaConstant::kHead]),
        rows(s.constants[GlgaConstant::kRows]),
        keys(s.constants[GlgaConstant::kKeys]),
        local(s.constants[GlgaConstant::kLocal] != 0),
        global(s.constants[GlgaConstant::kGlobal] != 0) {}
  /// Bytes of n rows by the head's channels.
  [[nodiscard]] std::int64_t channels(std::int64_t n) const { return tile_bytes(n, head, element); }
  /// Bytes of a tile of scores.
  [[nodiscard]] std::int64_t scores(std::int64_t n, std::int64_t m) const {
    return tile_bytes(n, m, element);
  }
  /// Channels of the state held at a time: kStateSlice in glga/state_product.h.
  [[nodiscard]] std::int64_t slice() const { return head <= kWidestPair ? head : 64 / element; }
  /// Channels of the accumulators held at a time: kSumsSlice in glga/norm_gate_grad.h.
  [[nodiscard]] std::int64_t sums_slice() const {
    return head <= kWidestPair ? head
           : head % 32 == 0    ? 32
           : head % 24 == 0    ? 24
           : head % 16 == 0    ? 16
                               : 8;
  }
  /// Whether a block holds accumulators of all channels at once, for up to two tiles.
  [[nodiscard]] bool together() const { return head <= kWidestPair; }
  /// Pipeline stages of the loop over the window: kWalkStages in glga/window.h.
  [[nodiscard]] std::int64_t stages() const { return head * element <= 512 ? 2 : 1; }
  /// Bytes for multiplying n rows by the state, slice by slice.
  [[nodiscard]] std::int64_t state_product(std::int64_t n) const {
    return tile_bytes(n, slice(), element) +
           std::max(tile_bytes(slice(), head, element), tile_bytes(head, slice(), element));
  }
  /// The loop over the window and the state product that follows reuse the same memory.
  [[nodiscard]] std::int64_t either(std::int64_t walk, std::int64_t n) const {
    return std::max(local ? walk : 0, global ? state_product(n) : 0);
  }
  /// Must match kernels_src/tile/cuda/matrix_sums.h.
  static constexpr std::int64_t kWidestPair = 128;
};

inline std::int64_t glga_state_bytes(const jit::KernelSpec& s) {
  const auto element = static_cast<std::int64_t>(size_of(static_cast<DType>(s.dtypes[0])));
  const std::int64_t head = s.constants[0], tile = s.constants[1];
  return 2 * tile_bytes(tile, std::min<std::int64_t>(head, 128), element) +
         2 * tile_bytes(tile, head, element);
}
inline std::int64_t glga_forward_bytes(const jit::KernelSpec& s) {
  const GlgaFootprint t(s);
  return t.either(
      t.channels(t.rows) + 2 * t.stages() * t.channels(t.keys) + t.scores(t.rows, t.keys), t.rows);
}
inline std::int64_t glga_rows_grad_bytes(const jit::KernelSpec& s) {
  const GlgaFootprint t(s);
  return t.global ? t.channels(t.rows) + tile_bytes(t.head, t.sums_slice(), t.element) : 0;
}
inline std::int64_t glga_queries_grad_bytes(const jit::KernelSpec& s) {
  const GlgaFootprint t(s);
  return t.either(
      2 * t.channels(t.rows) + 2 * t.stages() * t.channels(t.keys) + t.scores(t.rows, t.keys),
      t.rows);
}
inline std::int64_t glga_keys_grad_bytes(const jit::KernelSpec& s) {
  const GlgaFootprint t(s);
  return t.either(
      2 * t.channels(t.keys) + 2 * t.stages() * t.channels(t.rows) + t.scores(t.keys, t.rows),
      t.keys);
}

/// Holds a second tile of scores and of keys, and the state throughout.
inline std::int64_t glga_band_grad_bytes(const jit::KernelSpec& s) {
  const GlgaFootprint t(s);
  return 3 * t.channels(t.keys) + 4 * t.channels(t.rows) + 2 * t.scores(t.keys, t.rows) +
         t.channels(t.head);
}
inline std::int64_t glga_join_grad_bytes(const jit::KernelSpec& s) {
  const GlgaFootprint t(s);
  return t.global ? t.state_product(t.rows) : 0;
}

}  // namespace eflow::detail

#pragma once
// How fast the fused attention runs on this machine, beside what it could reach and what it replaces.

#include "eflow/core/glga.hpp"
#include "eflow/jit/race.hpp"

namespace eflow::trainer {

/// One measurement: gated self-attention of one sample, gates a token, norms with factors.
struct GlgaBenchCase {
  std::int64_t tokens = 2048;  ///< of the raster
  std::int64_t window = 1024;  ///< span W in tokens of the raster; the radius is W / 2
  std::int64_t drop = 0;       ///< percent of the tokens that are not there
  std::int64_t head = 64, heads = 4;
  DType dtype = DType::kF32;
};

/// One direction. Seconds are those of the fastest run.
struct GlgaBenchPass {
  double seconds = 0;
  GlgaCost cost;
  double composed_seconds = 0;  ///< of plain ops; 0: not measured
  [[nodiscard]] double useful_rate() const { return cost.useful / seconds; }
  [[nodiscard]] double executed_rate() const { return cost.executed / seconds; }
};

struct GlgaBench {
  std::int64_t kept = 0;  ///< tokens that are there
  bool fused = false;  ///< whether the kernels could be had; else the times are those of plain ops
  GlgaBenchPass forward, backward;
  double peak = 0;         ///< multiply-adds of this dtype, FLOP/s, measured beside
  double memory_rate = 0;  ///< bytes/s read from memory, measured beside
  /// Seconds of the forward pass with the window compiled in and as an argument, where that is a difference.
  bool has_argument = false;
  jit::MedianInterval in_code, as_argument;

  /// Time the pass would take at the machine's ceilings, by operations and by bytes.
  [[nodiscard]] double operations_bound(const GlgaBenchPass& p) const {
    return p.cost.useful / peak;
  }
  [[nodiscard]] double memory_bound(const GlgaBenchPass& p) const {
    return p.cost.bytes / memory_rate;
  }
};

struct GlgaBenchOptions {
  double seconds = 0.3;     ///< about, for each of the things that are timed
  bool composition = true;  ///< time plain ops too
  bool cpu_time = false;  ///< of the process, shared among its threads, instead of the wall clock's
};

/// Measures on the default device.
[[nodiscard]] GlgaBench bench_glga(const GlgaBenchCase& c, const GlgaBenchOptions& options);

}  // namespace eflow::trainer

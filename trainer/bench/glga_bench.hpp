#pragma once
// Benchmark of the fused gated local-global attention on this machine: its speed relative to the
// measured peaks and to the composition of plain ops that it replaces.

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/tune/race.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// One measurement: gated self-attention of one sample, with gates per token and norm weights.
struct GlgaBenchCase {
  std::int64_t tokens = 2048;  ///< of the raster
  std::int64_t window = 1024;  ///< span W in raster tokens; the radius is W / 2
  std::int64_t drop = 0;       ///< percentage of the tokens dropped
  std::int64_t head = 64;      ///< channels per head
  std::int64_t heads = 4;
  DType dtype = DType::kF32;
};

/// One direction. Times are those of the fastest run.
struct GlgaBenchPass {
  double seconds = 0;
  GlgaCost cost = {};
  double composed_seconds = 0;  ///< of the plain ops; 0: not measured
  /// FLOP/s, counting only pairs inside the window, or everything the kernel executes.
  [[nodiscard]] double useful_rate() const { return cost.useful / seconds; }
  [[nodiscard]] double executed_rate() const { return cost.executed / seconds; }
};

struct GlgaBench {
  std::int64_t kept = 0;  ///< tokens not dropped
  bool fused = false;     ///< false: no kernel was available and plain ops were timed
  GlgaBenchPass forward = {}, backward = {};
  double peak = 0;         ///< multiply-add peak for this dtype, FLOP/s, measured in the same run
  double memory_rate = 0;  ///< bytes per second read from memory, measured in the same run
  /// Whether the forward pass was also timed with the window compiled in (`in_code`) and passed as
  /// an argument (`as_argument`), in seconds. Not done if both are the same kernel.
  bool has_argument = false;
  jit::MedianInterval in_code = {}, as_argument = {};

  /// Seconds the pass would take at the measured memory rate.
  [[nodiscard]] double memory_bound(const GlgaBenchPass& p) const {
    return p.cost.bytes / memory_rate;
  }
};

struct GlgaBenchOptions {
  double seconds = 0.3;     ///< approximate time per measurement
  bool composition = true;  ///< also time the plain ops
  /// Use CPU time per pool thread instead of wall-clock time: less noisy on a busy machine, but
  /// ignores time spent waiting.
  bool cpu_time = false;
};

/// Measures one case on the default device.
[[nodiscard]] GlgaBench bench_glga(const GlgaBenchCase& c, const GlgaBenchOptions& options);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

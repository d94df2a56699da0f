#pragma once
// The throughput ladder: the paper's recipe assembled one technique at a time. Each rung is timed
// in the same run and compared with the cost model and the paper's figures. [arXiv 2603.27086, Fig.
// 4 and §5.3]

#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct LadderOptions {
  std::int64_t width = 128, heads = 2;                 ///< the paper's model: 1536 and 12
  std::int64_t encoder = 3, middle = 22, decoder = 3;  ///< blocks, as in the paper
  std::int64_t frames = 8, side = 16;                  ///< token grid: frames x side x side
  std::int64_t batch = 4;   ///< clips per step; 4 is one of each kind of loss
  std::int64_t rounds = 1;  ///< measured steps per rung; their median is reported
  std::int64_t calls = 3;   ///< measured forward passes of each network
};

/// Measurements of one rung, which includes all techniques of the rungs before it.
struct Rung {
  std::string name = {};
  double step_s = 0;     ///< seconds per step
  double gflop = 0;      ///< useful GFLOP per step
  double passes = 0;     ///< forward passes per clip, a backward pass counting as two [§5.6]
  double paper_its = 0;  ///< iterations per second in the paper's Fig. 4
};

struct Ladder {
  std::vector<Rung> rungs = {};
  double softmax_s = 0, glga_s = 0;  ///< seconds of one forward pass of one clip
  std::int64_t parameters = 0, tokens = 0;
  int threads = 0;
  /// Network only: 40 steps of two softmax forwards over 4 steps of one GLGA forward.
  [[nodiscard]] double latency_gain() const { return 80 * softmax_s / (4 * glga_s); }
};

/// The configuration of one rung.
struct RungConfig {
  std::string name = {};
  double paper_its = 0;
  Config config = {};
};
/// All rungs, in order.
[[nodiscard]] std::vector<RungConfig> ladder_configs(const LadderOptions& options);

/// Measures the ladder on the default device. Steps of different rungs alternate, so that other
/// load on the machine affects all of them alike.
[[nodiscard]] Ladder measure_ladder(const LadderOptions& options);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

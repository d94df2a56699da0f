#pragma once
// The throughput ladder: the paper's recipe put together step by step, each rung timed in the same
// run, beside the cost model and the paper's figures. [arXiv 2603.27086, Fig. 4 and §5.3]

#include <string>
#include <vector>

#include "eflow/trainer/config.hpp"

namespace eflow::trainer {

struct LadderOptions {
  std::int64_t width = 128, heads = 2;                 ///< the paper's model has 1536 and 12
  std::int64_t encoder = 3, middle = 22, decoder = 3;  ///< blocks, as the paper's
  std::int64_t frames = 8, side = 16;                  ///< tokens: frames x side x side
  std::int64_t batch = 4;                              ///< clips a step; one of each kind of loss
  std::int64_t rounds = 1;  ///< measured steps of every rung; their median
  std::int64_t calls = 3;   ///< measured forwards of the two networks
};

/// A rung and what it adds to those before it.
struct Rung {
  std::string name;
  double step_s = 0;
  double gflop = 0;      ///< useful, of a step
  double passes = 0;     ///< forwards a clip, a backward counting two [§5.6]
  double paper_its = 0;  ///< iterations a second in the paper's Fig. 4
};

struct Ladder {
  std::vector<Rung> rungs;
  double softmax_s = 0, glga_s = 0;  ///< one forward of one clip
  std::int64_t parameters = 0, tokens = 0;
  int threads = 0;
  /// Network only: 40 steps of two softmax forwards against 4 of one GLGA forward.
  [[nodiscard]] double latency_gain() const { return 80 * softmax_s / (4 * glga_s); }
};

/// The configurations of the rungs, in order, with their names and the paper's rates.
struct RungConfig {
  std::string name;
  double paper_its = 0;
  Config config;
};
[[nodiscard]] std::vector<RungConfig> ladder_configs(const LadderOptions& options);

/// Takes the rungs in turn, so that what else the machine does falls on all of them. Uses the
/// default device.
[[nodiscard]] Ladder measure_ladder(const LadderOptions& options);

}  // namespace eflow::trainer

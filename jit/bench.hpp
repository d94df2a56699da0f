#pragma once
// Timing kernels: batches of launches, warmed up, in turn with others. What the tuner and `eflow jit bench` share.
//
// On the CPU operands are as warm as launches leave them, which is how a step runs them. On a GPU a batch is timed from the
// host, from its first launch until the stream is empty: long batches hide that, but nothing flushes the L2 cache.

#include <functional>
#include <vector>

#include "eflow/jit/race.hpp"
#include "eflow/jit/workload.hpp"

namespace eflow::jit {

/// Seconds that `count` launches take, one after the other. A test's may be made up.
using LaunchClock = std::function<double(const Workload&, const Spec&, int count)>;
[[nodiscard]] LaunchClock wall_clock(const Runtime& runtime);
/// The CPU's time a thread of the pool: steadier where the machine does other things too, blind to threads that wait.
[[nodiscard]] LaunchClock cpu_clock(const Runtime& runtime);

/// What a race times. The kernel of `spec` is prepared.
struct Contestant {
  const Workload* workload;
  Spec spec;
};

/// Seconds of one launch, from batches of at least `batch_seconds`. The first sample of each contestant finds its batch.
class BatchTimer {
 public:
  BatchTimer(std::vector<Contestant> contestants, LaunchClock clock, double batch_seconds = 2e-3);
  [[nodiscard]] double operator()(int contestant);

 private:
  [[nodiscard]] int find_batch(const Contestant& c) const;

  std::vector<Contestant> contestants_;
  std::vector<int> launches_;  // of a batch; 0: not known yet
  LaunchClock clock_;
  double batch_seconds_;
};

/// Two kernels, timed in turn.
struct Comparison {
  MedianInterval a, b;     ///< seconds of a launch
  double gain = 0;         ///< 1 - a / b; below 0 when a is slower
  bool separated = false;  ///< whether the intervals are disjoint
  double difference = 0;   ///< of a's results from b's, as relative_difference
};
[[nodiscard]] Comparison compare(const Contestant& a, const Contestant& b, const LaunchClock& clock,
                                 const RaceOptions& options);

/// What the JIT itself costs, measured in a cache directory of its own.
struct Overheads {
  double lookup_ns = 0;      ///< Runtime::has
  double tuned_ns = 0;       ///< Runtime::tuned, nothing tuned
  double launch_one_ns = 0;  ///< a launch of one empty block
  double launch_all_ns = 0;  ///< of one empty block a thread
  double compile_s = 0;      ///< a small kernel nobody has, until it could be launched
  double disk_s = 0;         ///< the same in the next process
  double runtime_s = 0;      ///< a Runtime, without any of these
  int threads = 1;
  std::string error;  ///< why kernels could not be compiled; then all but runtime_s is 0
};
/// `options` say device, compiler, temporary directory. Throws IoError when the latter cannot be written.
[[nodiscard]] Overheads measure_overheads(Options options);

}  // namespace eflow::jit

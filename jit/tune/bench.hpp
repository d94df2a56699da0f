#pragma once
// Timing of kernels in warmed-up batches of launches, alternating between candidates. Shared by the
// tuner and `eflow jit bench`.
//
// On the CPU, operands stay in cache between launches, as they do in a training step. On a GPU, a
// batch is timed on the host from its first launch until the stream is empty: long batches amortise
// the synchronisation, but the L2 cache is not flushed.

#include <functional>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/tune/race.hpp"
#include "eflow/jit/tune/workload.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Returns the seconds that `count` consecutive launches take. Tests substitute a fake.
using LaunchClock = std::function<double(const Workload&, const KernelSpec&, int count)>;
/// Elapsed time.
[[nodiscard]] LaunchClock wall_clock(const Runtime& runtime);
/// CPU time per pool thread: less noisy on a busy machine, but ignores time spent waiting.
[[nodiscard]] LaunchClock cpu_clock(const Runtime& runtime);

/// One candidate of a race. The kernel of `spec` must be prepared.
struct Contestant {
  const Workload* workload = nullptr;
  KernelSpec spec = {};
};

/// Measures the seconds of one launch, averaged over a batch of at least `batch_seconds`. The first
/// sample of each contestant also determines its batch size.
class BatchTimer {
 public:
  /// The workloads must outlive the timer.
  BatchTimer(std::vector<Contestant> contestants, LaunchClock clock, double batch_seconds = 2e-3);
  /// One sample of the contestant with this index.
  [[nodiscard]] double operator()(int contestant);

 private:
  [[nodiscard]] int find_batch(const Contestant& c) const;

  std::vector<Contestant> contestants_;
  std::vector<int> launches_;  // launches per batch; 0: not yet determined
  LaunchClock clock_;
  double batch_seconds_;
};

/// The result of timing two kernels alternately.
struct Comparison {
  MedianInterval a = {}, b = {};  ///< seconds per launch
  MedianInterval ratio = {};      ///< a / b, of samples taken one after the other
  double gain = 0;                ///< 1 - ratio; negative if a is slower
  bool separated = false;         ///< whether the ratio's confidence interval excludes 1
  double difference = 0;          ///< relative_difference of a's result from b's
};
/// Races `a` against `b` and compares their results.
[[nodiscard]] Comparison compare(const Contestant& a, const Contestant& b, const LaunchClock& clock,
                                 const RaceOptions& options);

/// The overhead of the JIT itself, measured with a temporary cache directory.
struct Overheads {
  double lookup_ns = 0;      ///< Runtime::has
  double tuned_ns = 0;       ///< Runtime::tuned with an empty database
  double launch_one_ns = 0;  ///< launch of one empty block
  double launch_all_ns = 0;  ///< launch of one empty block per thread
  double compile_s = 0;  ///< from Runtime construction to launchable for a small kernel, not cached
  double disk_s = 0;     ///< the same with a warm disk cache, as in the next process
  double disk_hit_s =
      0;                 ///< of that: making the request, reading, comparing and checking its entry
  double load_s = 0;     ///< of that: loading the image
  double runtime_s = 0;  ///< construction of a Runtime
  int threads = 1;
  std::string error = "";  ///< why kernels could not be compiled; if set, only runtime_s is valid
};
/// `options` supply the device, the compiler and the temporary directory. Throws IoError if that
/// directory is not writable.
[[nodiscard]] Overheads measure_overheads(Options options);

}  // namespace eflow::jit

EFLOW_EXPORT_END

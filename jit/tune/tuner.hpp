#pragma once
// The autotuner: finds the fastest config of a kernel for one specialisation and one bucket of
// shapes, and saves its progress in the tuning database. Configs that do not fit the device are
// skipped. The rest are compiled in parallel, checked against the default config's result, and then
// raced (race.hpp). On the CPU, a config first runs in a process of its own: one that hangs or crashes
// there is excluded. An interrupted run resumes. A config during which the tuner's own process died
// twice is excluded, too. A config added to a kernel later races against the best known one only.

#include <functional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/tune/bench.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct TuneOptions {
  RaceOptions race = {};
  bool again = false;  ///< re-measure what is already tuned
  /// Time for a config's first run, which on the CPU is in a process of its own; 0: in this process.
  double trial_seconds = 30;
  double batch_seconds = 2e-3;  ///< least duration of a timed batch of launches
  LaunchClock clock = {};       ///< empty: wall_clock
  std::function<void(const std::string&)> say = {};  ///< receives progress lines; may be empty
};

struct TuneOutcome {
  TuningRecord record = {};
  bool known = false;  ///< true if nothing had to be measured
  /// Whether the best is certainly faster than the previous best or, without one, the default; false
  /// if this run measured nothing.
  bool separated = false;
  bool complete = false;  ///< false if the time limit cut the race; the record is then unfinished
  /// How much less time than the best another config may take, at 99 % confidence.
  double margin = 0;
  int rounds = 0;  ///< rounds of the race
};

/// Tunes the workload's subject or, if it has none, `kernel`, which must be defined in `runtime`
/// (its tunables are ignored), on the runtime's device. Throws CompileError if the default config
/// does not compile, InvalidArgument if the kernel has no config space, and IoError if the database
/// cannot be written or another process is tuning on this device.
TuneOutcome tune(Runtime& runtime, const TuningDatabase& database, const KernelRef& kernel,
                 const Workload& workload, const TuneOptions& options = {});

/// Uses the tuning database of the runtime's disk cache. Throws InvalidArgument if there is no disk
/// cache.
TuneOutcome tune(Runtime& runtime, const KernelRef& kernel, const Workload& workload,
                 const TuneOptions& options = {});

}  // namespace eflow::jit

EFLOW_EXPORT_END

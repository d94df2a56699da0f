#pragma once
// tune: finds the fastest config of a kernel for one specialisation and one bucket of shapes, and keeps what it learned in
// the tuning database as it goes. Configs that do not fit are left out; the rest are compiled in parallel, each has to
// compute what the default computes, then they race (race.hpp). A killed tuner goes on where it was; a config that ended
// the process twice is left out; a config added to a kernel later is measured against the best known, not all anew.

#include <functional>
#include <string>

#include "eflow/jit/bench.hpp"
#include "eflow/jit/tuning_database.hpp"

namespace eflow::jit {

struct TuneOptions {
  RaceOptions race;
  bool again = false;  ///< measures anew what is tuned already
  double batch_seconds = 2e-3;
  LaunchClock clock;                            ///< empty: wall_clock
  std::function<void(const std::string&)> say;  ///< progress, a line each; may be empty
};

struct TuneOutcome {
  TuningRecord record;
  bool known = false;  ///< nothing had to be measured
  bool separated =
      false;  ///< whether best and default were surely told apart, if this run measured
  int rounds = 0;
};

/// Tunes the workload's subject or, where it has none, `kernel` (its tunables are ignored) on the runtime's device; the
/// kernel is defined there.
/// Throws CompileError when not even the default compiles; InvalidArgument when the kernel has no config space; IoError
/// when the database cannot be written or another process is tuning on this device.
TuneOutcome tune(Runtime& runtime, const TuningDatabase& database, const KernelRef& kernel,
                 const Workload& workload, const TuneOptions& options = {});

/// The same, with the database of the runtime's disk cache. Throws InvalidArgument when it has none.
TuneOutcome tune(Runtime& runtime, const KernelRef& kernel, const Workload& workload,
                 const TuneOptions& options = {});

}  // namespace eflow::jit

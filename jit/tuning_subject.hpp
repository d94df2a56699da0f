#pragma once
// TuningSubject: what the tuner tunes. A kernel's configs are constants of its Spec, which are compiled; others may be the
// ways that a library has of doing the same.

#include <functional>
#include <string>
#include <vector>

#include "eflow/jit/tuning_record.hpp"

namespace eflow::jit {

class TuningSubject {
 public:
  /// A line of progress; may be empty.
  using Say = std::function<void(const std::string&)>;

  virtual ~TuningSubject() = default;

  /// A record of nothing tried: its key, what times would be of (text, toolchain), tunables, and every config that may run,
  /// the default first.
  [[nodiscard]] virtual TuningRecord blank() const = 0;
  /// What Workload::launch is given for a config.
  [[nodiscard]] virtual Spec spec_of(const ConfigRecord& config) const = 0;
  /// Makes configs, of which the first is the default, ready to be launched. One that cannot be is kFailed, and says why.
  /// Throws when the default cannot.
  virtual void prepare(const std::vector<ConfigRecord*>& configs, const Say& say) const = 0;
};

}  // namespace eflow::jit

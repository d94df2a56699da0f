#pragma once
// TuningTarget: the interface of the tuner to what it tunes. The configs of a kernel are constants
// of its KernelSpec, which are compiled in; those of a vendor library are its algorithms.

#include <functional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/tuning_record.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

class TuningTarget {
 public:
  /// Receives a line of progress; may be empty.
  using Say = std::function<void(const std::string&)>;

  virtual ~TuningTarget() = default;

  /// A record in which nothing has been tried: key, text, toolchain, tunables, and every config
  /// that may run, the default first.
  [[nodiscard]] virtual TuningRecord blank() const = 0;
  /// The KernelSpec that Workload::launch receives for a config.
  [[nodiscard]] virtual KernelSpec spec_of(const ConfigRecord& config) const = 0;
  /// Makes configs launchable; the first is the default. Marks a config that fails as kFailed, with
  /// the reason. Throws if the default fails.
  virtual void prepare(const std::vector<ConfigRecord*>& configs, const Say& say) const = 0;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END

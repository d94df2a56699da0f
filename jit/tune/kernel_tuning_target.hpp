#pragma once
// KernelTuningTarget: tunes a kernel over its config space by compiling each config. Internal to jit.

#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/tuning_target.hpp"

namespace eflow::jit {

class KernelTuningTarget final : public TuningTarget {
 public:
  /// Ignores the tunables of `kernel`. Throws InvalidArgument if the kernel has no config space.
  KernelTuningTarget(Runtime& runtime, const KernelRef& kernel, ShapeBucket shape);

  [[nodiscard]] TuningRecord blank() const override;
  [[nodiscard]] KernelSpec spec_of(const ConfigRecord& config) const override;
  void prepare(const std::vector<ConfigRecord*>& configs, const Say& say) const override;

 private:
  Runtime& runtime_;
  KernelRef kernel_;
  ShapeBucket shape_;
  ConfigSpace space_;
};

}  // namespace eflow::jit

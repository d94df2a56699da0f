#pragma once
// KernelSubject: tunes a kernel over its config space by compiling each config. Internal to jit.

#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tuning_subject.hpp"

namespace eflow::jit {

class KernelSubject final : public TuningSubject {
 public:
  /// Ignores the tunables of `kernel`. Throws InvalidArgument if the kernel has no config space.
  KernelSubject(Runtime& runtime, const KernelRef& kernel, ShapeBucket shape);

  [[nodiscard]] TuningRecord blank() const override;
  [[nodiscard]] Spec spec_of(const ConfigRecord& config) const override;
  void prepare(const std::vector<ConfigRecord*>& configs, const Say& say) const override;

 private:
  Runtime& runtime_;
  KernelRef kernel_;
  ShapeBucket shape_;
  ConfigSpace space_;
};

}  // namespace eflow::jit

#pragma once
// A kernel as the tuner sees it: configs are those of its config space, made by compiling them. Internal to jit.

#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tuning_subject.hpp"

namespace eflow::jit {

class KernelSubject final : public TuningSubject {
 public:
  /// `kernel`'s tunables are ignored. Throws InvalidArgument when it has no config space.
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

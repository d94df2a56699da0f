#include "eflow/jit/tune/kernel_tuning_target.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel_builder.hpp"

namespace eflow::jit {
namespace {

/// Excludes GPU kernels that spill registers, unless all do.
void drop_spilling(const std::vector<Prepared>& made, const std::vector<ConfigRecord*>& configs) {
  const auto spills = [](const Prepared& p) {
    return p.ok() && p.resources.spill_stores + p.resources.spill_loads > 0;
  };
  const auto clean = std::count_if(made.begin(), made.end(),
                                   [&](const Prepared& p) { return p.ok() && !spills(p); });
  for (std::size_t i = 1; clean > 0 && i < made.size(); ++i) {
    if (!spills(made[i])) continue;
    configs[i]->state = ConfigState::kFailed;
    configs[i]->why = "it spills registers";
  }
}

}  // namespace

KernelTuningTarget::KernelTuningTarget(Runtime& runtime, const KernelRef& kernel, ShapeBucket shape)
    : runtime_(runtime),
      kernel_(kernel),
      shape_(shape),
      space_(runtime.builder().definitions().space(kernel.name)) {
  if (space_.empty()) {
    throw InvalidArgument(
        str("[jit] ", kernel.name, " has no config space; declare one in KernelDefinition::space"));
  }
}

TuningRecord KernelTuningTarget::blank() const {
  const DeviceLimits& limits = runtime_.limits();
  TuningRecord out;
  out.key = {{kernel_.name, space_.without_config(kernel_.spec)}, shape_, limits.name, limits.arch};
  const BuildRequest request = runtime_.builder().request(out.key.kernel, runtime_.target());
  out.text = to_hex(request.texts->content);
  out.toolchain = request.toolchain;
  for (const Tunable& t : space_.tunables) out.tunables.push_back(t.name);
  for (const KernelSpec& spec : space_.configs(space_.with_defaults(kernel_.spec), limits)) {
    ConfigRecord config;
    config.values = space_.values_of(spec);
    out.configs.push_back(std::move(config));
  }
  return out;
}

KernelSpec KernelTuningTarget::spec_of(const ConfigRecord& config) const {
  return space_.with_values(space_.without_config(kernel_.spec), config.values);
}

void KernelTuningTarget::prepare(const std::vector<ConfigRecord*>& configs, const Say& say) const {
  std::vector<KernelRef> kernels;
  for (const ConfigRecord* c : configs) kernels.emplace_back(kernel_.name, spec_of(*c));
  if (say) say(str("  compiling ", kernels.size(), " configs"));
  const std::vector<Prepared> made = runtime_.prepare(kernels);
  if (!made[0].ok()) throw CompileError(made[0].error);
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (made[i].ok()) continue;
    configs[i]->state = ConfigState::kFailed;
    configs[i]->why = made[i].error.substr(0, 500);
  }
  drop_spilling(made, configs);
}

}  // namespace eflow::jit

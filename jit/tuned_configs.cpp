#include "eflow/jit/tuned_configs.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::jit {
namespace {

/// The KernelSpec of the record's best config; nullopt with the reason in `why` if the record does not
/// match the current text or config space.
std::optional<KernelSpec> best_of(const TuningRecord& record, const ConfigSpace& space,
                                  const BuildRequest& request, const DeviceLimits& limits,
                                  std::string& why) {
  if (!record.finished) why = "tuning did not finish";
  if (record.text != to_hex(request.texts->content)) why = "the kernel's text changed since";
  std::vector<std::string> names;
  for (const Tunable& t : space.tunables) names.push_back(t.name);
  if (record.tunables != names) why = "the kernel's tunables changed since";
  if (!why.empty()) return std::nullopt;
  const ConfigRecord& best = record.configs[static_cast<std::size_t>(record.best)];
  const KernelSpec spec = space.with_values(record.key.kernel.spec, best.values);
  if (best.state != ConfigState::kOk || !space.contains(spec, limits)) {
    why = "its best config is not in the config space";
    return std::nullopt;
  }
  return spec;
}

/// The finished and unfinished records of this key: this machine's own, then those of packs.
std::vector<TuningRecord> records_of(KernelBuilder& builder, const TuningKey& key) {
  std::vector<TuningRecord> out;
  if (builder.disk() != nullptr) {
    const TuningDatabase database(builder.disk()->options().root);
    std::string why;
    std::optional<TuningRecord> own;
    if (database.has_any(key.device, key.arch, key.kernel.name)) own = database.get(key, why);
    if (own) out.push_back(*std::move(own));
  }
  const std::string digest = key.digest();
  for (const TuningRecord& packed : builder.packed_records()) {
    if (packed.key.digest() == digest) out.push_back(packed);
  }
  return out;
}

}  // namespace

KernelSpec choose_tuned(Runtime& runtime, const KernelRef& kernel, ShapeBucket shape) try {
  KernelBuilder& builder = runtime.builder();
  const ConfigSpace space = builder.definitions().space(kernel.name);
  const DeviceLimits& limits = runtime.limits();
  if (space.empty() || kernel.spec != space.with_defaults(kernel.spec)) return kernel.spec;
  const std::vector<TuningRecord> records = records_of(
      builder, {{kernel.name, space.without_config(kernel.spec)}, shape, limits.name, limits.arch});
  if (records.empty()) return kernel.spec;
  const BuildRequest request = builder.request(kernel, runtime.target());
  std::optional<KernelSpec> best;
  for (const TuningRecord& record : records) {
    std::string why;
    best = best_of(record, space, request, limits, why);
    if (!best) {
      log_info("[jit] a tuning record of ", request.title(), " is ignored: ", why);
      continue;
    }
    if (record.toolchain != request.toolchain)
      log_info("[jit] ", request.title(), " was tuned with another compiler: ", record.toolchain);
    break;
  }
  if (!best) return kernel.spec;
  const Prepared made = runtime.prepare({{kernel.name, *best}})[0];
  if (made.ok()) return *best;
  log_warning("[jit] ", to_string(*best, kernel.name), ", tuned for ", limits.name,
              ", is unavailable; the default is used. ", made.error);
  return kernel.spec;
} catch (const Error& e) {
  log_warning("[jit] ", kernel.name, " uses its default config: ", e.what());
  return kernel.spec;
}

}  // namespace eflow::jit

#pragma once
// Settings that a configuration makes but that nothing reads, because another setting or the data
// disable what they belong to. A run lists them before its first step.

#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/clip_format.hpp"
#include "eflow/trainer/config/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// A setting without effect, and the setting or fact that disables it.
struct UnusedOption {
  std::string key = {}, value = {}, reason = {};
};

/// The keys that differ from their defaults (or from model.preset) and have no effect on a run with
/// these clips, in the order of options_of().
[[nodiscard]] std::vector<UnusedOption> unused_options(const Config& config,
                                                       const ClipFormat& clips);

/// One line for each of unused_options(), with a heading; "" if there are none.
[[nodiscard]] std::string describe_unused(const Config& config, const ClipFormat& clips);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Describes a training run and its cost without training: `eflow train --dry-run`.

#include <filesystem>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Text about the data, the model, the cost of the first and the last step, memory, disk space and
/// steps. Makes every check that needs no training; if data.dir is empty, uses data.clip in place
/// of a data set. Throws what those checks throw, as run_training() would.
[[nodiscard]] std::string describe_training(const Config& config, const std::filesystem::path& out,
                                            const std::string& resume);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

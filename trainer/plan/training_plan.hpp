#pragma once
// Describes a training run and its cost without training: `eflow train --dry-run`.

#include <filesystem>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Ranks to plan for. docs/scaling.md describes the model.
struct PlannedRanks {
  std::int64_t ranks = 0;  ///< 0: no plan
  std::string network = "infiniband-400";
  /// TFLOP/s that a rank sustains in a step, of useful operations; 0: the peak of this device,
  /// which is measured, as a bound.
  double tflops = 0;
};

/// Text about the data, the model, the cost of the first and the last step, memory, disk space,
/// steps, and the ranks that are planned. Makes every check that needs no training; if data.dir is
/// empty, uses data.clip in place of a data set. Throws what those checks throw, as run_training()
/// would.
[[nodiscard]] std::string describe_training(const Config& config, const std::filesystem::path& out,
                                            const std::string& resume,
                                            const PlannedRanks& planned = {});

}  // namespace eflow::trainer

EFLOW_EXPORT_END

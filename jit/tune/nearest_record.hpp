#pragma once
// The most similar record to one that is to be made: where a race may begin. Internal to jit.

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/tuning_record.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// The finished record of the same kernel, specialisation, text and tunables whose sizes are the closest to
/// those of `record`, preferably of the same device; nullptr if there is none. Equal ones: the first.
[[nodiscard]] const TuningRecord* nearest_record(const std::vector<TuningRecord>& known,
                                                 const TuningRecord& record);

/// The indices in `record` of the `most` configs that were the fastest in `of`.
[[nodiscard]] std::vector<int> fastest_configs(const TuningRecord& of, const TuningRecord& record,
                                               std::size_t most);

}  // namespace eflow::jit

EFLOW_EXPORT_END

#pragma once
// The split of a data set into training clips and held-out clips. It must not depend on the order
// of the clips, which is often that of their classes.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct Split {
  std::vector<std::int64_t> training = {};  ///< ascending indices
  std::vector<std::int64_t> held_out = {};  ///< ascending indices
};

/// Withholds ceil(share * labels.size()) clips: each class gives its share, rounded down or up, but
/// never its last clip. Which clips is decided by a permutation with a constant key, so the split is
/// a function of the labels and the share alone. May withhold fewer, if the classes are too small.
/// Labels are in [0, max(classes, 1)).
[[nodiscard]] Split stratified_split(std::span<const std::int32_t> labels, std::int64_t classes,
                                     double share);

/// One sentence for the classes without any of these clips, "2 of 20 classes have no `what` clips:
/// 3, 17", with at most ten labels; empty if every class has one or there are no classes.
[[nodiscard]] std::string missing_classes(std::span<const std::int32_t> labels,
                                          std::int64_t classes, const std::string& what);

}  // namespace eflow::trainer

EFLOW_EXPORT_END

#pragma once
// Inputs on which the op list checks glga(). Internal to core.

#include "eflow/core/op.hpp"

namespace eflow::detail {

[[nodiscard]] std::vector<Sample> glga_samples();

}  // namespace eflow::detail

#pragma once
// Test samples of glga() for the op list. Internal to core.

#include "eflow/core/op.hpp"

namespace eflow::detail {

/// Returns two samples; tests/core/glga_test.cpp covers the combinations of options.
[[nodiscard]] std::vector<Sample> glga_samples();

}  // namespace eflow::detail

#pragma once
// Test samples of glga() for the op list. Internal to core.

#include "eflow/core/tensor/op.hpp"

namespace eflow::detail {

/// Returns two samples; tests/core/attention/glga_test.cpp covers the combinations of options.
[[nodiscard]] std::vector<Sample> glga_samples();

}  // namespace eflow::detail

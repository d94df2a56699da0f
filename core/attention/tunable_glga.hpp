#pragma once
// The GLGA texts as `eflow jit tune` and `eflow jit bench` run them. Internal to core.

#include <vector>

#include "eflow/jit/tune/workload.hpp"

namespace eflow::detail {

[[nodiscard]] std::vector<jit::TunableKernel> tunable_glga();

}  // namespace eflow::detail

#pragma once
// A GPU library's matrix products as `eflow jit tune` and `eflow jit bench` run them. Internal to core.

#include "eflow/jit/tune/workload.hpp"

namespace eflow::detail {

[[nodiscard]] jit::TunableKernel tunable_product();

}  // namespace eflow::detail

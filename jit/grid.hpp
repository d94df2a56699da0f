#pragma once
// Grid: how many blocks a launch has, in each direction.

#include <cstdint>

namespace eflow::jit {

struct Grid {
  std::int64_t x = 1, y = 1, z = 1;
};

}  // namespace eflow::jit

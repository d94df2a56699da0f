#pragma once
// Grid: the number of blocks of a launch along each axis.

#include <cstdint>

namespace eflow::jit {

struct Grid {
  std::int64_t x = 1, y = 1, z = 1;
};

}  // namespace eflow::jit

#pragma once
// The shared memory of a text's tiles, from the PTX that NVRTC made of it: each allocation leaves a
// comment there (need_shared_bytes in kernels_src/tile/cuda/instructions.h).

#include <string_view>

namespace eflow::jit {

/// The most bytes of dynamic shared memory that a kernel's tiles occupy at once; 0 without tiles.
/// Throws CompileError if a tile's place is only known at run time, which `title` is told of.
[[nodiscard]] int tile_bytes(std::string_view ptx, std::string_view title);

}  // namespace eflow::jit

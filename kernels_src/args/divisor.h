#pragma once
// Division by a number that a launch keeps.

namespace eflow::args {

/// Divides n < 2^31 by `size`: (n + (n magic >> 32)) >> shift [Granlund & Montgomery, PLDI 1994].
struct Divisor {
  unsigned magic, shift;
  long long size;
};

}  // namespace eflow::args

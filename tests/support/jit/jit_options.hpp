#pragma once
// Runtime options for tests that compile many kernels.

#include "eflow/jit/options.hpp"
#include "eflow/tests/support/temp_dir.hpp"

namespace eflow::test {

/// One thread, a cache in the directory, and the instruction set that compiles fastest.
inline jit::Options quick_options(const TempDir& dir) {
  jit::Options options;
  options.cache.named = dir / "cache";
  options.threads = 1;
  options.isa = jit::Isa::kBaseline;
  return options;
}

}  // namespace eflow::test

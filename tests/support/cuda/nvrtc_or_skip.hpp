#pragma once
// For tests that need NVRTC. BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc) ends the program with
// status 77, which CTest reports as skipped, and prints the reason, if NVRTC is not available.

#include <cstdlib>
#include <iostream>

#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/options.hpp"

namespace eflow::test {

inline jit::FoundCompiler& nvrtc() {
  static jit::FoundCompiler found = jit::find_nvrtc(jit::Options::from_environment().nvrtc);
  return found;
}

struct SkipWithoutNvrtc {
  SkipWithoutNvrtc() {
    if (nvrtc()) return;
    std::cout << "skipped: " << nvrtc().why << '\n';
    std::exit(77);
  }
};

}  // namespace eflow::test

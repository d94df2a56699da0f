// On a real sm_90a GPU: attention with the configs that only it supports, forward and backward,
// against the CPU in f64.
#define BOOST_TEST_MODULE gpu_hopper
#include <boost/test/unit_test.hpp>
#include <iostream>

#include "support/gpu_or_skip.hpp"
#include "support/hopper_attention.hpp"

using namespace eflow;

namespace {

struct HopperOrSkip : test::GpuOrSkip {
  HopperOrSkip() {
    const std::string arch = test::gpu()->runtime().target().arch;
    if (arch == "sm_90a") return;
    std::cout << "skipped: the GPU is " << arch << ", not sm_90a\n";
    std::exit(77);
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(HopperOrSkip);

BOOST_AUTO_TEST_CASE(its_own_configs_agree_with_the_cpu) {
  for (const std::int64_t head : test::kHopperHeads) {
    for (const bool bulk : {false, true}) {
      for (const bool kept : {false, true})
        test::check_hopper_configs(test::gpu()->runtime().options(),
                                   test::hopper_case(DType::kBF16, head, kept, 8), bulk);
    }
    if (head > test::kWidestInF32) continue;
    test::check_hopper_configs(test::gpu()->runtime().options(),
                               test::hopper_case(DType::kF32, head, false, 4), true);
  }
}

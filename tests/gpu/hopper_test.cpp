// On a real sm_90a GPU: attention with the configs that only it supports, forward and backward,
// against the CPU in f64. Each head width is a separate test case, because its kernels take a while
// to compile and scripts/gpu_check.sh runs test cases in parallel processes.
#define BOOST_TEST_MODULE gpu_hopper
#include <boost/test/unit_test.hpp>
#include <iostream>

#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/cuda/hopper_attention.hpp"

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

void check(DType dtype, std::int64_t head, bool kept, bool bulk) {
  const std::int64_t spare = dtype == DType::kBF16 ? 8 : 4;
  test::check_hopper_configs(test::gpu()->runtime().options(),
                             test::hopper_case(dtype, head, kept, spare), bulk);
}

const bool registered = [] {
  auto& suite = boost::unit_test::framework::master_test_suite();
  const auto add = [&](const std::string& name, auto f) {
    suite.add(boost::unit_test::make_test_case(f, name, __FILE__, __LINE__));
  };
  for (const std::int64_t head : test::kHopperHeads) {
    for (const bool bulk : {false, true}) {
      add(str("bf16_head_", head, bulk ? "_bulk_copies" : ""), [=] {
        for (const bool kept : {false, true}) check(DType::kBF16, head, kept, bulk);
      });
    }
    if (head <= test::kWidestInF32)
      add(str("f32_head_", head, "_bulk_copies"), [=] { check(DType::kF32, head, false, true); });
  }
  return true;
}();

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(HopperOrSkip);

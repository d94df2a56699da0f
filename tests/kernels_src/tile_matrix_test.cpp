// Runs tile_matrix_cases.cpp in its form for each instruction set that this CPU has.
#define BOOST_TEST_MODULE tile_matrix
#include <boost/test/unit_test.hpp>

#include "eflow/jit/isa.hpp"
#include "kernels_src/tile_matrix_cases.h"

#define EFLOW_DECLARE(isa)                            \
  namespace eflow_text_##isa {                        \
    void tile_matrix_cases(const TileReport& report); \
  }
EFLOW_DECLARE(baseline)
#if defined(__x86_64__)
EFLOW_DECLARE(avx2)
EFLOW_DECLARE(avx512)
EFLOW_DECLARE(avx512_bf16)
#endif

namespace {

using eflow::jit::Isa;

void run(Isa isa, void (*cases)(const TileReport&)) {
  int checks = 0;
  const auto sink = [](void* context, const char* what, double error, double limit) {
    ++*static_cast<int*>(context);
    BOOST_TEST(error <= limit, what << " is off by " << error << ", allowed are " << limit);
  };
  for (const Isa usable : eflow::jit::usable_isas()) {
    if (usable != isa) continue;
    BOOST_TEST_CONTEXT(eflow::jit::name_of(isa)) {
      cases({&checks, sink});
    }
    BOOST_TEST(checks > 100);
    return;
  }
  BOOST_TEST_MESSAGE("this CPU has no " << eflow::jit::name_of(isa));
}

}  // namespace

BOOST_AUTO_TEST_CASE(baseline) {
  run(Isa::kBaseline, eflow_text_baseline::tile_matrix_cases);
}
#if defined(__x86_64__)
BOOST_AUTO_TEST_CASE(avx2) {
  run(Isa::kAvx2, eflow_text_avx2::tile_matrix_cases);
}
BOOST_AUTO_TEST_CASE(avx512) {
  run(Isa::kAvx512, eflow_text_avx512::tile_matrix_cases);
}
BOOST_AUTO_TEST_CASE(avx512_bf16) {
  run(Isa::kAvx512Bf16, eflow_text_avx512_bf16::tile_matrix_cases);
}
#endif
